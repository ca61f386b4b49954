"""The record of paid tasks: it keeps what it was told, and nothing takes a row back."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, KeptOutput
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.tests.builders import prepare, purchase


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "deep" / "journal.sqlite3")
    yield made
    made.close()


def test_a_row_goes_from_prepared_to_delivered(journal: Journal) -> None:
    row = prepare(journal)
    assert (row.state, row.sends, row.task_id) == ("prepared", 1, None)
    journal.submitted(row.row_id, "77", now=1001.0, dialect="legacy")
    journal.started(row.row_id, now=1003.0)
    journal.succeeded(
        row.row_id, now=1050.0, outputs=[KeptOutput("video", "77.mp4", "5.041")], deduction=Deduction(2.4)
    )
    journal.delivered(row.row_id, now=1060.0)
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert (found.state, found.task_id, found.duration, found.deduction) == (
        "delivered",
        "77",
        "5.041",
        Deduction(2.4),
    )
    assert (found.submitted_at, found.started_at, found.finished_at, found.delivered_at) == (
        1001.0,
        1003.0,
        1050.0,
        1060.0,
    )
    assert journal.find_task("kling:global", "77") == found == journal.find_task("kling:global", "kt-1")
    assert journal.find_task("kling:china", "77") is None


def test_the_latest_attempt_is_found(journal: Journal) -> None:
    first = prepare(journal)
    journal.submitted(first.row_id, "1", now=1.0, dialect="legacy")
    journal.failed(first.row_id, "moderation", now=2.0)
    prepare(journal, purchase(attempt=2, external_task_id="kt-2"))
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert found.attempt == 2


def test_preparing_again_counts_the_sends_until_a_refusal_settles_them(journal: Journal) -> None:
    row = prepare(journal)
    assert prepare(journal).sends == 2
    journal.refused(row.row_id, "no")
    assert prepare(journal).sends == 1


def test_a_row_never_goes_back(journal: Journal) -> None:
    row = prepare(journal)
    journal.submitted(row.row_id, "77", now=1.0, dialect="legacy")
    journal.refused(row.row_id, "late news of another process")
    journal.in_doubt(row.row_id, "late news of another process")
    assert prepare(journal).state == "submitted"
    journal.succeeded(row.row_id, now=2.0, outputs=[], deduction=Deduction())
    journal.failed(row.row_id, "late news", now=3.0)
    journal.delivered(row.row_id, now=4.0)
    journal.succeeded(row.row_id, now=5.0, outputs=[], deduction=Deduction())
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert found.state == "delivered"


def test_a_state_that_needs_a_task_id_can_not_be_without_one(journal: Journal) -> None:
    prepare(journal)
    with pytest.raises(sqlite3.IntegrityError):
        journal.open().execute("UPDATE tasks SET state = 'submitted'")


def test_the_days_sum_counts_what_was_or_may_have_been_bought(journal: Journal) -> None:
    def spent() -> float:
        return journal.spent_today(practice=False, day_start=500.0)

    unknown = prepare(journal)
    assert spent() == pytest.approx(0.35)
    journal.refused(unknown.row_id, "no")
    assert spent() == 0
    bought = prepare(journal, purchase("t2"))
    journal.submitted(bought.row_id, "2", now=1.0, dialect="legacy")
    journal.succeeded(bought.row_id, now=2.0, outputs=[], deduction=Deduction(5.0))
    assert spent() == pytest.approx(0.70)
    failed = prepare(journal, purchase("t3"))
    journal.submitted(failed.row_id, "3", now=1.0, dialect="legacy")
    journal.failed(failed.row_id, "moderation", now=2.0)
    adopted = prepare(journal, purchase("t4"))
    journal.submitted(adopted.row_id, "4", now=1.0, dialect="legacy", adopted=True)
    prepare(journal, purchase("t5"), now=499.0)
    prepare(journal, purchase("t6", practice=True))
    assert spent() == pytest.approx(0.70)
    assert journal.spent_today(practice=True, day_start=500.0) == pytest.approx(0.35)


def test_the_limit_is_exact_to_the_cent(journal: Journal) -> None:
    prepare(journal, limit_usd=0.70)
    prepare(journal, purchase("t2"), limit_usd=0.70)
    with pytest.raises(errors.SpendingLimitReached, match=r"\$0\.70 of today's \$0\.70"):
        prepare(journal, purchase("t3"), limit_usd=0.70)
    assert journal.find("kling:global", "t3") is None
    prepare(journal, purchase("t2"), limit_usd=0.70)  # the same purchase is not counted twice


def test_a_purchase_without_a_price_can_not_be_held_to_a_limit(journal: Journal) -> None:
    with pytest.raises(errors.SpendingLimitReached, match="no price"):
        prepare(journal, purchase(estimated_usd=None), limit_usd=100.0)


def test_two_connections_can_not_both_take_the_last_of_the_limit(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "journal.sqlite3", []
    Journal(path).open().close()
    gate = threading.Barrier(8)

    def buy(number: int) -> None:
        mine = Journal(path)
        gate.wait()
        try:
            prepare(mine, purchase(f"t{number}"), limit_usd=1.0)
            outcomes.append("bought")
        except errors.SpendingLimitReached:
            outcomes.append("refused")
        finally:
            mine.close()

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["bought"] * 2 + ["refused"] * 6


def test_durations_are_of_our_own_finished_tasks_latest_first(journal: Journal) -> None:
    for number, seconds in enumerate([10.0, 20.0, 30.0]):
        row = prepare(journal, purchase(f"t{number}"))
        journal.submitted(row.row_id, str(number), now=100.0 * number, dialect="legacy", adopted=number == 1)
        journal.succeeded(row.row_id, now=100.0 * number + seconds, outputs=[], deduction=Deduction())
    assert journal.durations("kling:global", "k") == [30.0, 10.0]
    assert journal.durations("kling:global", "other") == []
