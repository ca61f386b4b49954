"""Collecting a task by its id alone: it costs nothing, and finds any product in either dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.tests.stage import stage, video


async def test_recover_finds_a_task_by_either_id_and_of_any_product(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        omni = s.state.seed_task("omni-video", external_task_id="mine-1")
        turbo = s.state.seed_task("text2video", "standard")
        for wanted, task in ((omni.id, omni), ("mine-1", omni), (turbo.id, turbo)):
            got = await s.recover(s.studio(), wanted)
            assert got.task_id == task.id
            assert video(got).is_file()
            assert got.collected
        with pytest.raises(errors.NotFound):
            await s.recover(s.studio(), "123456")
        with pytest.raises(errors.InvalidInput):
            await s.recover(s.studio(), "../etc")


async def test_a_video_that_is_already_here_is_not_fetched_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        foreign = s.state.seed_task("omni-video")
        for _ in range(2):
            await s.recover(s.studio(), foreign.id)
        assert s.state.downloads == 1
