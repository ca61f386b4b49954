"""A success whose link comes late, or not at all: asked again, and told without a wrong word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import stage, video

MODELS = [{"model_name": "kling-v2-6"}, {"model_name": "kling-3.0-turbo", "sound": "on"}]


@pytest.mark.parametrize("fields", MODELS, ids=["legacy", "standard"])
@pytest.mark.parametrize("late", [3.0, 60.0, 110.0])
async def test_a_link_that_comes_late_is_waited_for(tmp_path: Path, fields: Any, late: float) -> None:
    async with stage(tmp_path, links_late_seconds=late) as s:
        delivered = await s.take(s.studio(), **fields)
        assert video(delivered).is_file()
        assert not delivered.collected
        assert any("Waiting for Kling to give the link" in line for line in s.heard.lines) == (late > 0)


@pytest.mark.parametrize("fields", MODELS, ids=["legacy", "standard"])
async def test_after_two_minutes_it_is_told_and_the_next_run_collects_it(tmp_path: Path, fields: Any) -> None:
    async with stage(tmp_path, links_late_seconds=1000.0) as s:
        journal = s.journal()
        began = s.clock.monotonic()
        with pytest.raises(errors.DownloadFailed, match="gives no link to it yet") as caught:
            await s.take(s.studio(journal), **fields)
        assert 120 <= s.clock.monotonic() - began < 300
        assert "another number" not in str(caught.value)
        assert caught.value.task_id == only_row(journal).task_id
        s.clock.now += 1000
        delivered = await s.take(s.studio(journal), **fields)
        assert delivered.collected
        assert s.state.creates_accepted == 1


async def test_a_take_older_than_thirty_days_is_gone_and_only_then_another_number_is_named(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        delivered = await s.take(s.studio(journal))
        video(delivered).unlink()
        s.state.vanished.add(delivered.task_id)
        with pytest.raises(errors.DownloadFailed) as caught:
            await s.take(s.studio(journal))
        assert "another number" not in str(caught.value)
        s.clock.now += 31 * 86400
        with pytest.raises(errors.TaskGone, match="choose another number for take"):
            await s.take(s.studio(journal))
        assert s.state.creates_accepted == 1


async def test_a_task_that_kling_does_not_show_is_called_gone_after_thirty_days_only(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        delivered = await s.take(s.studio(journal))
        video(delivered).unlink()
        del s.state.tasks[delivered.task_id]
        with pytest.raises(errors.NotFound, match="change them back") as caught:
            await s.take(s.studio(journal))
        assert "another number" not in str(caught.value)
        s.clock.now += 31 * 86400
        with pytest.raises(errors.TaskGone, match="choose another number for take"):
            await s.take(s.studio(journal))
