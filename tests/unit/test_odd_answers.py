"""Answers that no document promises: nothing is lost, nothing of another is taken, nothing breaks."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import errors
from kling_takes.apis.account import AccountSummary
from kling_takes.apis.answer import parse_json
from kling_takes.apis.client import Connection
from kling_takes.apis.credentials import ApiKey
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.apis.kling.dialects import DIALECTS
from kling_takes.apis.kling.packs import ResourcePack
from kling_takes.apis.kling.responses import LegacyTask, StandardTask, legacy_task, standard_task
from kling_takes.apis.redaction import Redactor
from kling_takes.apis.tasks_api import TasksApi
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY
from kling_takes.tests.stage import serving, stage, video


def server_of(answer: Any) -> AbstractAsyncContextManager[str]:
    async def reply(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    return serving(app)


def test_half_a_character_becomes_one_that_can_be_written_down() -> None:
    raw = b'{"message": "cut in an emoji \\ud83d", "whole": "\\ud83d\\ude00"}'
    found = parse_json(raw, Redactor())
    assert found == {"message": "cut in an emoji ?", "whole": "\N{GRINNING FACE}"}


async def test_a_refusal_cut_within_an_emoji_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"code": 1301, "message": "no \ud83d", "request_id": "r"}
    async with server_of(answer) as url, stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal, settings=s.settings(KLING_API_BASE=url))
        with pytest.raises(errors.ContentRefused):
            await s.take(studio)
        rows = journal.open().execute("SELECT state, failure FROM tasks").fetchall()
        assert [state for state, _ in rows] == ["refused"]


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        (
            "legacy",
            {"code": 0, "data": {"task_id": "2", "task_status": "succeed", "task_info": {}}},
        ),
        ("standard", {"code": 0, "data": [{"id": "2", "status": "succeeded"}]}),
        (
            "standard",
            {"code": 0, "data": [{"id": "2", "status": "succeeded", "external_id": "a"}]},
        ),
    ],
)
async def test_the_task_of_another_id_is_not_taken_for_ours(dialect: str, answer: Any) -> None:
    async with server_of(answer) as url:
        api = TasksApi(Connection(url, ApiKey("key")))
        with pytest.raises(errors.NotFound):
            await api.get(DIALECTS[dialect], "text2video", "1")
        assert (await api.get(DIALECTS[dialect], "text2video", "2")).task_id == "2"


def test_a_deduction_below_zero_is_not_known() -> None:
    old = LegacyTask(task_id="1", task_status="succeed", final_unit_deduction="-1000")
    new = StandardTask(id="1", status="succeeded", billing=[{"charge_type": "unit", "amount": -1000}])
    assert legacy_task(old).deduction == standard_task(new).deduction == Deduction()


@pytest.mark.parametrize("moment", [253_402_300_799.0, 1e20, -1e20])
def test_a_pack_that_never_ends_is_shown(moment: float) -> None:
    pack = ResourcePack("Video", 5.0, 10.0, None, moment, "online", None)
    assert "Video: 5 of 10 units" in AccountSummary((pack,), None, 1.8e9).text()


async def test_a_refused_look_does_not_say_that_there_is_no_task(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        bought = await s.take(s.studio(s.journal("one")))
        s.state.faults.append(Fault("any", "html_403", times=100))
        pair = s.settings(
            KLING_API_KEY=None, KLING_ACCESS_KEY=SIMULATOR_ACCESS_KEY, KLING_SECRET_KEY=SIMULATOR_SECRET_KEY
        )
        with pytest.raises(errors.AccountRefused):
            await s.recover(s.studio(s.journal("two"), settings=pair), bought.task_id)


async def test_two_gateways_with_the_same_task_id_have_two_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their ids are their own; the video of one must not stand for that of the other."""
    monkeypatch.setattr("kling_takes.simulator.state.secrets.randbelow", lambda _: 0)
    async with stage(tmp_path) as one, stage(tmp_path) as two:
        one.state._next_id = two.state._next_id = 7
        first = await one.take(one.studio(one.journal("one")))
        second = await two.take(two.studio(two.journal("two")))
        assert first.task_id == second.task_id
        assert video(first) != video(second)
