"""An answer is taken apart once, and a large one beside the loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import client, errors
from kling_takes.apis.client import ANSWER_LIMIT, LARGE_ANSWER, Connection
from kling_takes.apis.credentials import ApiKey
from kling_takes.apis.kling.dialects import DIALECTS, legacy, standard
from kling_takes.apis.tasks_api import TasksApi
from kling_takes.tests.cancelling import until
from kling_takes.tests.stage import serving, stage

MODELS = {"legacy": "kling-v2-5-turbo", "standard": "kling-3.0-turbo"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an answer is read as JSON and as a task."""
    counts: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counting(*arguments: Any) -> Any:
            counts[name] += 1
            return real(*arguments)

        monkeypatch.setattr(module, name, counting)

    count(client, "parse_json")
    count(legacy, "legacy_task")
    count(standard, "standard_task")
    return counts


@pytest.mark.parametrize("dialect", ["legacy", "standard"])
async def test_an_answer_is_read_once_as_json_and_once_as_a_task(
    tmp_path: Path, counted: Counter[str], dialect: str
) -> None:
    answers = 0

    @web.middleware
    async def counting(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal answers
        response: web.StreamResponse = await handler(request)
        answers += not request.path.startswith("/cdn") and isinstance(response, web.Response)
        return response

    async with stage(tmp_path, counting, processing_seconds=60.0) as s:
        await s.take(s.studio(), model_name=MODELS[dialect])
        assert counted["parse_json"] == answers > 5
        assert counted[f"{dialect}_task"] == answers


async def test_the_task_that_is_asked_for_is_the_only_one_that_is_read(counted: Counter[str]) -> None:
    records = [{"id": str(number), "status": "succeeded"} for number in range(1000)]

    async def reply(_: web.Request) -> web.Response:
        return web.json_response({"code": 0, "data": [{"id": None}, *records]})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    async with serving(app) as url:
        task = await TasksApi(Connection(url, ApiKey("key"))).get(DIALECTS["standard"], "text2video", "700")
    assert task.task_id == "700"
    assert counted["standard_task"] == 1


def padded(size: int) -> bytes:
    text = json.dumps({"code": 0, "data": {"task_id": "1", "task_status": "submitted", "x": ["%"]}})
    return text.replace("%", "some words %41 " * ((size - len(text)) // 15)).encode()


@pytest.mark.parametrize(("size", "beside"), [(1000, False), (LARGE_ANSWER + 50, True), (8 << 20, True)])
async def test_a_large_answer_is_taken_apart_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, beside: bool
) -> None:
    threads: list[threading.Thread] = []
    read = client.parse_json

    def reading(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return read(*arguments)

    monkeypatch.setattr(client, "parse_json", reading)

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=padded(size), content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    async with serving(app) as url:
        task = await TasksApi(Connection(url, ApiKey("a-key-of-the-tests"))).get(
            DIALECTS["legacy"], "text2video", "1"
        )
    assert task.status == "submitted"
    assert [thread is not threading.main_thread() for thread in threads] == [beside]


async def test_cancel_is_answered_while_a_large_answer_is_taken_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        reading.set()
        go_on.wait(10)

    monkeypatch.setattr(client, "parse_json", slow)

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=padded(ANSWER_LIMIT - 100))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    async with serving(app) as url:
        api = TasksApi(Connection(url, ApiKey("key")))
        job = asyncio.ensure_future(api.get(DIALECTS["legacy"], "text2video", "1"))
        await until(reading.is_set)
        job.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert time.monotonic() - begun < 0.5
        go_on.set()


async def test_an_answer_with_more_values_than_kling_ever_sends_is_one_that_can_not_be_read() -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.json_response({"code": 0, "data": {"task_id": "1", "task_status": "x", "y": [1] * 10**6}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    async with serving(app) as url:
        with pytest.raises(errors.OutcomeUnknown, match="could not be read"):
            await TasksApi(Connection(url, ApiKey("key"))).get(DIALECTS["legacy"], "text2video", "1")
