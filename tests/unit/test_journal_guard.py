"""Settings of the journal's file that no crash of a process would show, only a power cut or two users."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, Purchase
from kling_takes.tests.builders import prepare, purchase


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal.sqlite3")
    yield made
    made.close()


def test_a_commit_is_on_the_disk_when_it_returns(journal: Journal) -> None:
    full = 2
    connection = journal.open()
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == full
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_practice_money_is_no_real_money(journal: Journal) -> None:
    for practice, usd in ((False, 0.5), (True, 2.0)):
        account = f"account {practice}"
        prepare(journal, purchase(account=account, practice=practice, estimated_usd=usd), limit_usd=2.1)
    assert journal.spent_today(practice=False, day_start=0.0) == 0.5
    assert journal.spent_today(practice=True, day_start=0.0) == 2.0


def test_nobody_buys_between_the_days_sum_and_the_row(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process buys at the worst moment: it has to wait for our row, and is refused then."""
    other, outcomes = Journal(journal.path), []
    journal.open()
    other.open()

    def buy_elsewhere() -> None:
        try:
            prepare(other, purchase("theirs", estimated_usd=0.8), limit_usd=1.0)
            outcomes.append("bought")
        except errors.SpendingLimitReached:
            outcomes.append("refused")

    rival = threading.Thread(target=buy_elsewhere)
    spent = Journal._spent

    def sum_and_rival(connection: sqlite3.Connection, mine: Purchase, day_start: float) -> float:
        found = spent(connection, mine, day_start)
        if mine.take == "ours":
            rival.start()
            rival.join(0.3)
        return found

    monkeypatch.setattr(Journal, "_spent", staticmethod(sum_and_rival))
    try:
        prepare(journal, purchase("ours", estimated_usd=0.8), limit_usd=1.0)
    finally:
        rival.join()
        other.close()
    assert outcomes == ["refused"]
    assert journal.spent_today(practice=False, day_start=0.0) == 0.8
