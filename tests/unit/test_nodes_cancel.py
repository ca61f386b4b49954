"""Cancel while nodes run."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.nodes import host
from kling_takes.tests.paper_comfyui import WORDS, Artist, Interrupted


async def test_cancel_is_answered_within_a_second_and_the_task_is_collected_later(
    artist: Artist, kling: Any
) -> None:
    kling.state.processing_seconds = 60.0
    work = asyncio.ensure_future(nodes.KlingTextToVideoNode().api_call(**WORDS))
    await asyncio.sleep(0.3)
    assert kling.state.tasks
    artist.cancelled = True
    started = asyncio.get_running_loop().time()
    with pytest.raises(Interrupted):
        await work
    assert asyncio.get_running_loop().time() - started < 1.0
    artist.cancelled = False
    kling.state.clock = lambda: time.time() + 120.0
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert kling.state.creates_accepted == 1
    assert "Collected, nothing paid" in artist.texts[-1]


async def test_work_that_is_slow_to_give_up_does_not_keep_the_user_waiting(artist: Artist) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(3)

    work = asyncio.ensure_future(host.until_interrupted(stubborn()))
    await asyncio.sleep(0)
    artist.cancelled = True
    started = asyncio.get_running_loop().time()
    with pytest.raises(Interrupted):
        await work
    assert asyncio.get_running_loop().time() - started < 1.0
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        await asyncio.wait({task})


async def test_a_prompt_cancelled_before_the_node_starts_runs_nothing(artist: Artist) -> None:
    ran = []

    async def work() -> None:
        ran.append(1)

    artist.cancelled = True
    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert not ran


async def test_when_another_node_fails_the_cancellation_passes_through(artist: Artist) -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(1)

    task = asyncio.ensure_future(host.until_interrupted(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]
