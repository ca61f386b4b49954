"""The journal's file: where it can't be trusted nothing is bought, and several processes may share it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal, Row, shared_journal
from kling_takes.apis.journal.schema import MIGRATIONS
from kling_takes.tests.builders import prepare, purchase


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
        prepare(good, purchase(f"t{number}"))
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
    monkeypatch.setattr("kling_takes.apis.journal.file.LOCK_PATIENCE", 0.1)
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
    for tail in ("", "-wal", "-shm"):  # what the faster one did
        path.with_name(path.name + tail).rename(tmp_path / f"kept.sqlite3{tail}")
    written = prepare(fast)
    with pytest.raises(errors.JournalError, match="begun a new one"):
        raise slow._trouble(sqlite3.DatabaseError("database disk image is malformed"))
    assert Journal(path).find("kling:global", "t1") == written
    slow.close()
    fast.close()
