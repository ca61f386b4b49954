"""The record of paid tasks: it keeps what it was told, and when it can't, nothing is bought."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, Purchase, Row, shared_journal
from kling_takes.apis.journal_schema import MIGRATIONS

BUY = Purchase(
    account="kling:global",
    take="t1",
    attempt=1,
    external_task_id="kt-1",
    practice=False,
    product="text2video",
    dialect="legacy",
    model="kling-v2-6",
    kind="k",
    estimated_units=2.5,
    estimated_usd=0.35,
)


@pytest.fixture(autouse=True)
def all_closed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Close every journal that a test opened, also where the test is about one that is not usable."""
    opened: list[Journal] = []
    begin = Journal.open

    def noted(journal: Journal) -> sqlite3.Connection:
        opened.append(journal)
        return begin(journal)

    monkeypatch.setattr(Journal, "open", noted)
    yield
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "deep" / "journal.sqlite3")
    yield made
    made.close()


def prepare(journal: Journal, purchase: Purchase = BUY, now: float = 1000.0, **options: Any) -> Row:
    return journal.prepare(purchase, now=now, day_start=0.0, **options)


def test_a_row_goes_from_prepared_to_delivered(journal: Journal) -> None:
    row = prepare(journal)
    assert (row.state, row.sends, row.task_id) == ("prepared", 1, None)
    journal.submitted(row.row_id, "77", now=1001.0, dialect="legacy")
    journal.started(row.row_id, now=1003.0)
    journal.succeeded(row.row_id, now=1050.0, duration="5.041", deducted_units=2.4)
    journal.delivered(row.row_id, now=1060.0)
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert (found.state, found.task_id, found.duration, found.deducted_units) == (
        "delivered",
        "77",
        "5.041",
        2.4,
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
    prepare(journal, replace(BUY, attempt=2, external_task_id="kt-2"))
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
    journal.told(row.row_id, "late news of another process")
    assert prepare(journal).state == "submitted"
    journal.succeeded(row.row_id, now=2.0, duration="5", deducted_units=None)
    journal.failed(row.row_id, "late news", now=3.0)
    journal.delivered(row.row_id, now=4.0)
    journal.succeeded(row.row_id, now=5.0, duration="5", deducted_units=None)
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
    bought = prepare(journal, replace(BUY, take="t2"))
    journal.submitted(bought.row_id, "2", now=1.0, dialect="legacy")
    journal.succeeded(bought.row_id, now=2.0, duration="5", deducted_units=5.0)
    assert spent() == pytest.approx(0.70)
    failed = prepare(journal, replace(BUY, take="t3"))
    journal.submitted(failed.row_id, "3", now=1.0, dialect="legacy")
    journal.failed(failed.row_id, "moderation", now=2.0)
    adopted = prepare(journal, replace(BUY, take="t4"))
    journal.submitted(adopted.row_id, "4", now=1.0, dialect="legacy", adopted=True)
    prepare(journal, replace(BUY, take="t5"), now=499.0)
    prepare(journal, replace(BUY, take="t6", practice=True))
    assert spent() == pytest.approx(0.70)
    assert journal.spent_today(practice=True, day_start=500.0) == pytest.approx(0.35)


def test_the_limit_is_exact_to_the_cent(journal: Journal) -> None:
    prepare(journal, limit_usd=0.70)
    prepare(journal, replace(BUY, take="t2"), limit_usd=0.70)
    with pytest.raises(errors.SpendingLimitReached, match=r"\$0\.70 of today's \$0\.70"):
        prepare(journal, replace(BUY, take="t3"), limit_usd=0.70)
    assert journal.find("kling:global", "t3") is None
    prepare(journal, replace(BUY, take="t2"), limit_usd=0.70)  # the same purchase is not counted twice


def test_a_purchase_without_a_price_can_not_be_held_to_a_limit(journal: Journal) -> None:
    with pytest.raises(errors.SpendingLimitReached, match="no price"):
        prepare(journal, replace(BUY, estimated_usd=None), limit_usd=100.0)


def test_two_connections_can_not_both_take_the_last_of_the_limit(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "journal.sqlite3", []
    Journal(path).open()
    gate = threading.Barrier(8)

    def buy(number: int) -> None:
        mine = Journal(path)
        gate.wait()
        try:
            prepare(mine, replace(BUY, take=f"t{number}"), limit_usd=1.0)
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
        row = prepare(journal, replace(BUY, take=f"t{number}"))
        journal.submitted(row.row_id, str(number), now=100.0 * number, dialect="legacy", adopted=number == 1)
        journal.succeeded(row.row_id, now=100.0 * number + seconds, duration="5", deducted_units=None)
    assert journal.durations("kling:global", "k") == [30.0, 10.0]
    assert journal.durations("kling:global", "other") == []


# -- when it can't be trusted --------------------------------------------------------------------------


def test_a_corrupt_journal_is_set_aside_and_said_and_nothing_is_bought(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"this is not a database" * 500)
    with pytest.raises(errors.JournalError, match="damaged"):
        prepare(Journal(path))
    kept = list(tmp_path.glob("journal.corrupt-*.sqlite3"))
    assert len(kept) == 1
    assert kept[0].read_bytes().startswith(b"this is not")
    again = Journal(path)
    assert prepare(again).state == "prepared"
    again.close()


def test_a_journal_with_a_torn_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    good = Journal(path)
    for number in range(200):
        prepare(good, replace(BUY, take=f"t{number}"))
    good.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(errors.JournalError, match="damaged"):
        prepare(Journal(path))


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    newer = Journal(path, [*MIGRATIONS, "CREATE TABLE more (x);"])
    prepare(newer)
    newer.close()
    before = path.read_bytes()
    with pytest.raises(errors.JournalError, match="newer version"):
        prepare(Journal(path))
    assert path.read_bytes() == before


def test_an_older_journal_is_brought_up_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    old = Journal(path)
    prepare(old)
    old.close()
    new = Journal(
        path, [*MIGRATIONS, "ALTER TABLE tasks ADD COLUMN mood TEXT;\nCREATE INDEX i ON tasks (mood);"]
    )
    found = new.find("kling:global", "t1")
    assert found is not None
    assert found.state == "prepared"
    assert new.open().execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) + 1
    new.close()


def test_a_migration_that_fails_leaves_the_old_journal_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    old = Journal(path)
    prepare(old)
    old.close()
    with pytest.raises(errors.JournalError):
        Journal(path, [*MIGRATIONS, "CREATE TABLE half (x);\nSELECT nonsense FROM nowhere;"]).open()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT take FROM tasks").fetchall() == [("t1",)]
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
    connection.close()


def test_a_locked_journal_refuses_to_spend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kling_takes.apis.journal_file.LOCK_PATIENCE", 0.1)
    path = tmp_path / "journal.sqlite3"
    Journal(path).open().close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(errors.JournalError, match="locked"):
        prepare(Journal(path))
    holder.execute("ROLLBACK")
    holder.close()
    free = Journal(path)
    assert prepare(free).state == "prepared"
    free.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder can't be made unwritable this way on Windows")
def test_a_journal_that_can_not_be_written_refuses_to_spend(tmp_path: Path) -> None:
    # A path below a file can't be made by anyone, root included.
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.JournalError, match="can't be written"):
        prepare(Journal(tmp_path / "file" / "journal.sqlite3"))


def test_a_read_only_journal_refuses_to_spend(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    Journal(path).open().close()

    class ReadOnly(Journal):
        def _connect(self) -> sqlite3.Connection:
            return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None)

    with pytest.raises(errors.JournalError, match="can't be written"):
        prepare(ReadOnly(path))


def test_a_file_of_another_program_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE tasks (something TEXT)")
    other.execute("PRAGMA user_version = 1")
    other.commit()
    other.close()
    with pytest.raises(errors.JournalError):
        prepare(Journal(path))


# -- from an event loop --------------------------------------------------------------------------------


async def test_a_cancelled_caller_leaves_a_finished_commit(journal: Journal) -> None:
    row = await journal.call(prepare, journal)
    task = asyncio.ensure_future(journal.call(journal.submitted, row.row_id, "77", now=1.0, dialect="legacy"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert found.task_id == "77"


async def test_an_error_in_the_worker_reaches_the_caller(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = Journal(tmp_path / "file" / "journal.sqlite3")
    with pytest.raises(errors.JournalError):
        await broken.call(broken.find, "a", "t")
    broken.close()


def test_a_journal_serves_one_event_loop_after_the_other(journal: Journal) -> None:
    first = asyncio.run(_prepared(journal))
    second = asyncio.run(_prepared(journal))
    assert (first.sends, second.sends) == (1, 2)


async def _prepared(journal: Journal) -> Row:
    return await journal.call(prepare, journal)


def test_a_process_has_one_journal_for_a_path(tmp_path: Path) -> None:
    assert shared_journal(tmp_path / "a") is shared_journal(tmp_path / "a")
    assert shared_journal(tmp_path / "a") is not shared_journal(tmp_path / "b")


def test_several_processes_write_the_same_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    root = Path(__file__).resolve().parents[2]
    script = (
        "import sys, types\n"
        "package = types.ModuleType('kling_takes'); package.__path__ = [sys.argv[1]]\n"
        "sys.modules['kling_takes'] = package\n"
        "from pathlib import Path\n"
        "from kling_takes.apis.journal import Journal, Purchase\n"
        "journal = Journal(Path(sys.argv[2]))\n"
        "for n in range(25):\n"
        "    journal.prepare(Purchase('a', f'{sys.argv[3]}-{n}', 1, None, False, 'p', 'd', 'm', 'k'),\n"
        "                    now=1.0, day_start=0.0)\n"
        "journal.close()\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(root), str(path), str(number)])
        for number in range(4)
    ]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0, 0]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (100,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no file that another process has open")
def test_a_record_that_another_process_has_begun_anew_is_not_set_aside(tmp_path: Path) -> None:
    """Both saw the damage; the slower one must not throw away what the faster one has written since."""
    path = tmp_path / "journal.sqlite3"
    slow, fast = Journal(path), Journal(path)
    slow.open()
    path.rename(tmp_path / "kept.sqlite3")  # what the faster one did
    written = prepare(fast)
    with pytest.raises(errors.JournalError, match="begun a new one"):
        raise slow._trouble(sqlite3.DatabaseError("database disk image is malformed"))
    assert Journal(path).find(BUY.account, BUY.take) == written
    slow.close()
    fast.close()
