"""From a task that exists to its end: polls, deadlines, failures, and what Kling has cleared."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.simulator.faults import Fault
from kling_takes.tests.stage import stage, video


async def test_polls_that_fail_are_repeated(tmp_path: Path) -> None:
    faults = [
        Fault("query", "reset_before_headers", times=2),
        Fault("query", "truncated_json"),
        Fault("query", "html_502_after_make"),
        Fault("query", "paced"),
        Fault("query", "hang", seconds=2),
    ]
    async with stage(tmp_path, faults=faults) as s:
        await s.take(s.studio())
        assert len(s.committed) == 1
        assert not s.state.faults


async def test_the_deadline_ends_the_waiting_and_not_the_task(tmp_path: Path) -> None:
    async with stage(tmp_path, processing_seconds=3600) as s:
        settings = s.settings(KLING_MAX_WAIT_MINUTES="5")
        with pytest.raises(errors.StillRunning) as caught:
            await s.take(s.studio(settings=settings))
        assert caught.value.task_id == s.committed[0].id
        assert caught.value.task_id in str(caught.value)
        s.clock.now += 3600
        assert (await s.take(s.studio(settings=settings))).collected
        assert s.state.creates_received == 1


async def test_a_failed_task_says_so_and_the_next_run_starts_another_attempt(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        with pytest.raises(errors.TaskFailed) as caught:
            await s.take(studio, "a storm [fail]")
        assert "not billed" in str(caught.value)
        assert "risk control" in str(caught.value)
        with pytest.raises(errors.TaskFailed):
            await s.take(studio, "a storm [fail]")
        assert s.state.creates_accepted == 2
        ids = {task.external_task_id for task in s.state.tasks.values()}
        assert len(ids) == 2


async def test_a_video_that_kling_has_cleared_is_not_bought_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first = await s.take(studio)
        video(first).unlink()
        s.clock.now += 31 * 86400
        with pytest.raises(errors.TaskGone) as caught:
            await s.take(studio)
        assert "another number" in str(caught.value)
        assert s.state.creates_received == 1


async def test_a_kept_file_that_is_not_as_long_as_the_journal_says_is_fetched_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        file = video(await s.take(s.studio(journal)))
        whole = file.read_bytes()
        # Another whole video under the name: nothing but its length tells.
        file.write_bytes(whole + b"\0\0\0\x08free")
        downloads = s.state.downloads
        again = await s.take(s.studio(journal))
        assert again.collected
        assert video(again).read_bytes() == whole
        assert s.state.downloads == downloads + 1
