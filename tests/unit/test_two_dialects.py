"""A model that moves to the other dialect keeps its takes, and each task is followed in its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.models import ModelTable
from kling_takes.tests.stage import stage, video


def moved_to_the_new_standard(folder: Path) -> ModelTable:
    file = folder / "models.json"
    file.write_text('{"models": {"kling-v2-5-turbo": {"preferred": "standard"}}}')
    return load_table(file)


async def test_a_model_that_moves_to_the_other_dialect_keeps_its_takes(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        before = s.studio(s.journal("one"), table=moved_to_the_new_standard(tmp_path))
        after = s.studio(s.journal("two"))
        bought = await s.take(before)
        video(bought).unlink()
        for _ in range(2):
            collected = await s.take(after)
            assert collected.collected
            video(collected).unlink()
        assert collected.task_id == bought.task_id
        assert {task.dialect for task in s.committed} == {"standard"}


async def test_an_attempt_after_one_that_failed_in_the_other_dialect_is_made_in_this_one(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        before = s.studio(s.journal("one"), table=moved_to_the_new_standard(tmp_path))
        after = s.studio(s.journal("two"))
        for studio in (before, after):
            with pytest.raises(errors.TaskFailed):
                await s.take(studio, "a storm [fail]")
        assert [task.dialect for task in s.state.tasks.values()] == ["standard", "legacy"]


async def test_the_status_is_the_word_of_the_dialect_that_made_the_video(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        words = {"legacy": "succeed", "standard": "succeeded"}
        for dialect, product in (("legacy", "omni-video"), ("standard", "text2video")):
            task = s.state.seed_task(product, dialect)
            got = await s.recover(s.studio(), task.id)
            assert got.status == words[dialect]
        studio = s.studio(table=moved_to_the_new_standard(tmp_path))
        for _ in range(2):  # the second time the video is here, and Kling is not asked
            assert (await s.take(studio)).status == "succeeded"
