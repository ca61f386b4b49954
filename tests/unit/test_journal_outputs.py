"""The results of a task in the journal: several, of any kind, and never a reason to lose a take."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis.journal import Journal, KeptOutput, Row
from kling_takes.apis.journal.schema import MIGRATIONS
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.tests.builders import prepare

PICTURES = (KeptOutput("image", "77.png"), KeptOutput("image", "77-2.png"))
ARRIVED = tuple(replace(picture, bytes=1000) for picture in PICTURES)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal.sqlite3")
    yield made
    made.close()


def finish(journal: Journal, outputs: Sequence[KeptOutput]) -> int:
    """Bring a take to the end of its task; returns its row's number."""
    row_id = prepare(journal).row_id
    journal.submitted(row_id, "77", now=1.0, dialect="legacy")
    journal.succeeded(row_id, now=2.0, outputs=outputs, deduction=Deduction())
    return row_id


def found(journal: Journal) -> Row:
    row = journal.find("kling:global", "t1")
    assert row is not None
    return row


def test_a_take_without_results_yet_has_none(journal: Journal) -> None:
    assert prepare(journal).outputs == ()


def test_the_results_are_kept_in_their_order_and_then_with_their_sizes(journal: Journal) -> None:
    row_id = finish(journal, PICTURES)
    assert found(journal).outputs == PICTURES
    journal.delivered(row_id, now=3.0, outputs=ARRIVED)
    assert found(journal).outputs == ARRIVED


def test_a_delivery_that_says_nothing_of_the_results_leaves_them(journal: Journal) -> None:
    journal.delivered(finish(journal, PICTURES), now=3.0)
    assert found(journal).outputs == PICTURES


def test_a_task_that_names_no_results_any_more_leaves_those_known_before(journal: Journal) -> None:
    row_id = finish(journal, [KeptOutput("video", "77.mp4", "5.041")])
    journal.succeeded(row_id, now=9.0, outputs=(), deduction=Deduction())
    assert found(journal).outputs == (KeptOutput("video", "77.mp4", "5.041"),)
    assert found(journal).duration == "5.041"


def test_the_duration_is_that_of_the_first_result_that_has_one(journal: Journal) -> None:
    finish(journal, [PICTURES[0], KeptOutput("audio", "77-2.mp3", "3.2"), KeptOutput("video", "v", "5")])
    assert found(journal).duration == "3.2"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "null",
        "5",
        '"text"',
        '{"kind": "image"}',
        '["image"]',
        '[{"kind": "image", "name": "77.png"}]',
        '[{"kind": "image", "name": 77, "duration": "", "bytes": null}]',
        '[{"kind": "image", "name": "77.png", "duration": "", "bytes": true}]',
        '[{"kind": "image", "name": "77.png", "duration": "", "bytes": null}, 5]',
        b"\xff\xfe",
        "[" * 50_000,
    ],
)
def test_a_damaged_list_counts_as_none_and_the_take_is_still_found(
    journal: Journal, damaged: str | bytes
) -> None:
    finish(journal, PICTURES)
    journal.open().execute("UPDATE tasks SET outputs = ?", (damaged,))
    assert (found(journal).task_id, found(journal).outputs) == ("77", ())


def test_what_a_later_version_adds_to_a_result_is_passed_over(journal: Journal) -> None:
    finish(journal, PICTURES)
    more = '[{"kind": "image", "name": "77.png", "duration": "", "bytes": null, "mood": "blue"}]'
    journal.open().execute("UPDATE tasks SET outputs = ?", (more,))
    assert found(journal).outputs == PICTURES[:1]


def test_the_journal_of_the_first_version_keeps_its_takes_and_learns_of_results(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    first = sqlite3.connect(path)
    first.executescript(MIGRATIONS[0])
    first.execute(
        "INSERT INTO tasks (account, take, attempt, external_task_id, task_id, state, sends, product, "
        "dialect, model, kind, estimated_usd, duration, prepared_at, submitted_at, finished_at, "
        "delivered_at) VALUES ('kling:global', 't1', 1, 'kt-1', '77', 'delivered', 1, 'text2video', "
        "'legacy', 'kling-v2-6', 'k', 0.35, '5.041', 1000.0, 1001.0, 1050.0, 1060.0)"
    )
    first.execute("PRAGMA user_version = 1")
    first.commit()
    first.close()
    journal = Journal(path)
    row = found(journal)
    assert (row.state, row.task_id, row.duration, row.outputs) == ("delivered", "77", "5.041", ())
    assert journal.durations("kling:global", "k") == [49.0]
    assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(0.35)
    assert prepare(journal).state == "delivered"
    journal.succeeded(row.row_id, now=2000.0, outputs=PICTURES, deduction=Deduction())
    assert found(journal).outputs == PICTURES
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
