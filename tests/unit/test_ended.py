"""A task that has ended in a word that we don't know, and words that are none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import errors
from kling_takes.apis.kling.responses import ENDED
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import Stage, stage

MODELS = {"legacy": "kling-v2-5-turbo", "standard": "kling-3.0-turbo"}
FOR_EVER = 1e9


class Rewriter:
    """Puts another status into what the simulator says of tasks: ``word``, in these spans of seconds."""

    def __init__(self, word: str | None, *spans: tuple[float, float]) -> None:
        self.word = word
        self.spans = spans or ((0.0, FOR_EVER),)
        self.place: Stage
        self.began: float
        self.reads = 0
        self.unreachable = False

    @web.middleware
    async def gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response = await handler(request)
        if request.method != "GET" or not (request.path.startswith("/v1/") or request.path == "/tasks"):
            return response  # type: ignore[no-any-return]
        self.reads += 1
        if self.unreachable and self.reads > 3:
            return web.Response(status=502)
        now = waited(self)
        if any(begin <= now < end for begin, end in self.spans) and response.status == 200:
            answer = json.loads(response.body)
            records = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
            for record in records:
                record["status" if "status" in record else "task_status"] = self.word
            return web.json_response(answer)
        return response  # type: ignore[no-any-return]


@asynccontextmanager
async def rewriting(folder: Path, rewriter: Rewriter, **knobs: Any) -> AsyncIterator[Stage]:
    async with stage(folder, rewriter.gate, processing_seconds=60.0, **knobs) as rewriter.place:
        rewriter.began = rewriter.place.clock.now
        yield rewriter.place


def waited(rewriter: Rewriter) -> float:
    return float(rewriter.place.clock.now - rewriter.began)


@pytest.mark.parametrize("word", ["canceled", "Cancelled", "EXPIRED", *ENDED[3:]])
@pytest.mark.parametrize("dialect", ["legacy", "standard"])
async def test_an_unknown_end_is_told_in_klings_word_within_three_minutes(
    tmp_path: Path, dialect: str, word: str
) -> None:
    rewriter = Rewriter(word)
    async with rewriting(tmp_path, rewriter) as s:
        with pytest.raises(errors.TaskEnded) as caught:
            await s.take(s.studio(), model_name=MODELS[dialect])
        assert 120 <= waited(rewriter) <= 180
        assert s.heard.shown(f"Kling says “{word}”")
        said = str(caught.value)
        assert f"Kling says “{word}” of this task" in said
        assert s.committed[0].id in said
        for claim in ("goes on", "paid when", "not paid", "not billed", "nothing is paid"):
            assert claim not in said


@pytest.mark.parametrize("dialect", ["legacy", "standard"])
async def test_the_next_run_asks_again_and_buys_nothing(tmp_path: Path, dialect: str) -> None:
    rewriter = Rewriter("canceled")
    async with rewriting(tmp_path, rewriter) as s:
        studio = s.studio()
        for _ in range(2):
            with pytest.raises(errors.TaskEnded):
                await s.take(studio, model_name=MODELS[dialect])
            row = only_row(studio.context.journal)
            assert (row.state, row.attempt) == ("submitted", 1)
        rewriter.spans = ()
        assert (await s.take(studio, model_name=MODELS[dialect])).collected
        assert s.state.creates_received == 1


async def test_a_task_that_ended_can_be_recovered_later(tmp_path: Path) -> None:
    rewriter = Rewriter("expired")
    async with rewriting(tmp_path, rewriter) as s:
        with pytest.raises(errors.TaskEnded):
            await s.take(s.studio())
        with pytest.raises(errors.TaskEnded):
            await s.recover(s.studio(s.journal("another")), s.committed[0].id)
        rewriter.spans = ()
        assert (await s.recover(s.studio(s.journal("third")), s.committed[0].id)).task_id == s.committed[0].id


async def test_a_word_that_changes_back_is_no_end(tmp_path: Path) -> None:
    rewriter = Rewriter("canceled", (5.0, 140.0))
    async with rewriting(tmp_path, rewriter) as s:
        assert not (await s.take(s.studio())).collected
        assert s.heard.shown("Kling says “canceled”")


async def test_patience_begins_anew_where_the_word_comes_back(tmp_path: Path) -> None:
    rewriter = Rewriter("canceled", (0.0, 100.0), (160.0, FOR_EVER))
    async with rewriting(tmp_path, rewriter) as s:
        s.state.processing_seconds = 1000.0
        with pytest.raises(errors.TaskEnded):
            await s.take(s.studio())
        assert 160 + 150 <= waited(rewriter) <= 160 + 180


@pytest.mark.parametrize("minutes", ["1", "2"])
async def test_one_who_waits_for_less_is_told_of_the_word_and_not_that_it_goes_on(
    tmp_path: Path, minutes: str
) -> None:
    rewriter = Rewriter("canceled")
    async with rewriting(tmp_path, rewriter) as s:
        with pytest.raises(errors.TaskEnded, match="“canceled”"):
            await s.take(s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES=minutes)))
        assert waited(rewriter) <= 60 * int(minutes) + 20


async def test_an_end_that_nobody_could_ask_about_since_is_told_at_the_deadline(tmp_path: Path) -> None:
    rewriter = Rewriter("canceled")
    rewriter.unreachable = True
    async with rewriting(tmp_path, rewriter) as s:
        with pytest.raises(errors.TaskEnded, match="“canceled”"):
            await s.take(s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES="10")))


@pytest.mark.parametrize("word", ["reviewing", "queued", "ending", "not canceled"])
async def test_an_unknown_word_that_is_no_end_is_waited_for(tmp_path: Path, word: str) -> None:
    rewriter = Rewriter(word, (0.0, 1500.0))
    async with rewriting(tmp_path, rewriter) as s:
        assert not (await s.take(s.studio())).collected
        assert waited(rewriter) >= 1500
        assert s.heard.shown(f"Kling says “{word}”")


@pytest.mark.parametrize("dialect", ["legacy", "standard"])
@pytest.mark.parametrize("nothing", [None, "", " "])
async def test_a_reply_without_a_status_is_an_error_and_the_take_stays(
    tmp_path: Path, dialect: str, nothing: str | None
) -> None:
    rewriter = Rewriter(nothing)
    async with rewriting(tmp_path, rewriter) as s:
        studio = s.studio()
        with pytest.raises(errors.ApiError, match="no status"):
            await s.take(studio, model_name=MODELS[dialect])
        assert waited(rewriter) < 60
        rewriter.spans = ()
        assert (await s.take(studio, model_name=MODELS[dialect])).collected
        assert s.state.creates_received == 1
