"""ComfyUI's interrupt flag is one for all nodes: looking at it must not take it down."""

from __future__ import annotations

import asyncio
import sys

import pytest

from kling_takes.nodes import host
from kling_takes.tests.paper_comfyui import Artist, Interrupted


async def test_an_interrupted_node_leaves_the_flag_up(artist: Artist) -> None:
    async def work() -> None:
        artist.cancelled = True
        await asyncio.sleep(60)

    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert artist.cancelled


async def test_cancel_ends_the_work_itself_and_not_only_the_waiting_for_it(artist: Artist) -> None:
    ended = []

    async def work() -> None:
        try:
            artist.cancelled = True
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert ended == ["work"]


def test_the_bar_does_not_swallow_a_cancel(artist: Artist, monkeypatch: pytest.MonkeyPatch) -> None:
    """ComfyUI's progress hook takes the flag down and raises; it has to be up again afterwards."""

    class Bar:
        def __init__(self, total: int, node_id: str) -> None:
            pass

        def update_absolute(self, value: int) -> None:
            artist.cancelled = True  # pressed at this very moment
            artist.throw_if_cancelled()

    monkeypatch.setattr(sys.modules["comfy.utils"], "ProgressBar", Bar)
    host.send_progress(0.5, "7")
    assert artist.cancelled
