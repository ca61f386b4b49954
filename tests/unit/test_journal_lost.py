"""A record that is moved, deleted, replaced or emptied under an open process is noticed before it is used."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kling_takes.apis import errors, publishing
from kling_takes.apis.journal import Journal
from kling_takes.apis.journal.identity import FileSeen, Standing, standing
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.tests.builders import only_row, prepare, purchase
from kling_takes.tests.stage import Trigger, stage

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody take a file that is open")

Loss = Callable[[Path], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(path)
    yield made
    made.close()


def deleted(path: Path) -> None:
    path.unlink()


def all_deleted(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.sqlite3"))


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def replaced(path: Path) -> None:
    """Put another record in its place, with a take in it that the first one does not have."""
    other = Journal(path.with_name("other.sqlite3"))
    prepare(other, purchase("of the other"))
    other.close()
    other.path.replace(path)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


LOSSES = [
    pytest.param(deleted, "was moved or deleted while", id="deleted"),
    pytest.param(all_deleted, "was moved or deleted while", id="all deleted"),
    pytest.param(moved, "was moved or deleted while", id="moved"),
    pytest.param(folder_deleted, "was moved or deleted while", id="folder deleted"),
    pytest.param(replaced, "was replaced by another file", id="replaced"),
    pytest.param(emptied, "is empty", id="emptied"),
]
USES: list[Callable[[Journal], object]] = [
    prepare,
    lambda journal: journal.find("kling:global", "t1"),
    lambda journal: journal.find_task("kling:global", "7"),
    lambda journal: journal.find_elsewhere(purchase()),
    lambda journal: journal.spent_today(practice=False, day_start=0.0),
    lambda journal: journal.durations("kling:global", "k"),
    lambda journal: journal.refused(1, "no"),
]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (FileSeen(1, 2, 4096), Standing.SAME),
        (FileSeen(1, 2, 8192), Standing.SAME),
        (FileSeen(1, 2, 0), Standing.EMPTIED),
        (FileSeen(1, 3, 4096), Standing.REPLACED),
        (FileSeen(9, 2, 4096), Standing.REPLACED),
        (FileSeen(9, 2, 0), Standing.REPLACED),
        (None, Standing.GONE),
    ],
)
def test_a_file_is_told_by_device_and_number_and_not_by_its_length(
    now: FileSeen | None, found: Standing
) -> None:
    assert standing(FileSeen(1, 2, 4096), now) is found


@posix
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("lose", "words"), LOSSES)
def test_the_next_use_of_any_kind_is_refused(
    journal: Journal, lose: Loss, words: str, use: Callable[[Journal], object]
) -> None:
    prepare(journal)
    lose(journal.path)
    with pytest.raises(errors.JournalError, match=words):
        use(journal)


@posix
@pytest.mark.parametrize("lose", [deleted, all_deleted, moved, folder_deleted])
def test_the_run_after_that_begins_a_new_record(journal: Journal, lose: Loss) -> None:
    prepare(journal)
    lose(journal.path)
    with pytest.raises(errors.JournalError):
        prepare(journal)
    assert journal.find("kling:global", "t1") is None
    assert prepare(journal).sends == 1


@posix
def test_the_run_after_a_replacement_goes_on_with_what_is_there_now(journal: Journal) -> None:
    prepare(journal)
    replaced(journal.path)
    with pytest.raises(errors.JournalError):
        prepare(journal)
    assert journal.find("kling:global", "of the other") is not None
    assert journal.find("kling:global", "t1") is None
    assert journal.open().execute("PRAGMA integrity_check").fetchone() == ("ok",)


@posix
def test_a_record_that_is_put_back_has_every_row(journal: Journal, path: Path) -> None:
    for number in range(50):
        prepare(journal, purchase(f"t{number}"))
    moved(path)
    with pytest.raises(errors.JournalError, match="Put it back"):
        prepare(journal, purchase("t50"))
    path.with_name("elsewhere.sqlite3").rename(path)
    for number in range(50):
        assert journal.find("kling:global", f"t{number}") is not None
    assert journal.find("kling:global", "t50") is None


@posix
def test_a_copy_in_its_place_does_not_get_what_was_meant_for_it(journal: Journal, path: Path) -> None:
    """What SQLite has not moved into the file yet lies beside it, under a name that goes with the path."""
    prepare(journal)
    journal.close()
    copy = shutil.copy(path, path.with_name("copy.sqlite3"))
    for number in range(1, 100):
        prepare(journal, purchase(f"t{number}"))
    Path(copy).replace(path)
    with pytest.raises(errors.JournalError):
        prepare(journal, purchase("t100"))
    takes = journal.open().execute("SELECT take FROM tasks").fetchall()
    assert takes == [("t1",)]
    assert journal.open().execute("PRAGMA integrity_check").fetchone() == ("ok",)


@posix
def test_a_new_record_of_another_process_is_left_alone(journal: Journal, path: Path) -> None:
    prepare(journal)
    all_deleted(path)
    other = Journal(path)
    written = prepare(other)
    with pytest.raises(errors.JournalError, match="replaced"):
        prepare(journal, purchase("t2"))
    assert other.find("kling:global", "t1") == written
    assert prepare(other, purchase("t3")).state == "prepared"
    assert prepare(journal, purchase("t4")).state == "prepared"
    assert other.find("kling:global", "t4") is not None
    other.close()


@posix
def test_what_waits_for_another_process_is_noticed_too(journal: Journal, path: Path) -> None:
    """The file goes while its writer waits for the lock."""
    prepare(journal)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.2, lambda: (path.unlink(), holder.execute("ROLLBACK")))
        later.start()
        with pytest.raises(errors.JournalError, match="moved or deleted"):
            prepare(journal, purchase("t2"))
        later.join()


@posix
def test_a_row_of_one_record_is_never_written_into_another(journal: Journal) -> None:
    row = prepare(journal)
    all_deleted(journal.path)
    with pytest.raises(errors.JournalError):
        journal.durations("kling:global", "k")
    prepare(journal, purchase("another take"))
    for write in (
        lambda: journal.submitted(row.row_id, "77", now=1.0, dialect="legacy"),
        lambda: journal.refused(row.row_id, "no"),
        lambda: journal.succeeded(row.row_id, now=1.0, outputs=[], deduction=Deduction()),
    ):
        with pytest.raises(errors.JournalError, match="exchanged for another one"):
            write()
    found = journal.find("kling:global", "another take")
    assert found is not None
    assert (found.state, found.task_id) == ("prepared", None)


# -- beginning a record --------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [prepare, lambda journal: journal.find("kling:global", "t1")])
def test_a_file_of_no_length_is_not_new(path: Path, use: Callable[[Journal], object]) -> None:
    path.touch()
    for _ in range(2):
        with pytest.raises(errors.JournalError, match="is empty: something has cut it"):
            use(Journal(path))
    assert path.stat().st_size == 0
    path.unlink()
    begun = Journal(path)
    assert prepare(begun).state == "prepared"
    begun.close()


@posix
@pytest.mark.parametrize("tail", ["-wal", "-journal"])
def test_a_record_that_is_gone_and_whose_log_is_not_is_not_new(path: Path, tail: str) -> None:
    """SQLite would read the log into whatever has the name."""
    left = path.with_name(path.name + tail)
    left.write_bytes(b"what a killed process had not moved yet")
    with pytest.raises(errors.JournalError, match=f"is missing, and {left.name}"):
        prepare(Journal(path))
    assert not path.exists()
    left.unlink()
    begun = Journal(path)
    assert prepare(begun).state == "prepared"
    begun.close()


class GoesAtOpening(Journal):
    """A record that is deleted in the moment in which it is opened."""

    def _connect(self) -> sqlite3.Connection:
        self.path.unlink()
        return super()._connect()


def test_a_file_that_has_just_gone_does_not_come_back_empty(path: Path) -> None:
    with pytest.raises(errors.JournalError):
        prepare(GoesAtOpening(path))
    assert not path.exists()


def test_a_new_record_gets_its_name_when_it_is_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    publish = publishing.publish_once

    def watched(draft: Path, name: Path) -> bool:
        with closing(sqlite3.connect(draft)) as connection:
            assert connection.execute("SELECT COUNT(*) FROM tasks").fetchone() == (0,)
        seen.append(sorted(file.name for file in path.parent.iterdir()))
        return publish(draft, name)

    monkeypatch.setattr("kling_takes.apis.journal.creation.publish_once", watched)
    begun = Journal(path)
    prepare(begun)
    begun.close()
    assert [name for names in seen for name in names if name.startswith(path.name)] == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_many_that_begin_at_once_share_one_record(path: Path) -> None:
    gate, ends = threading.Barrier(12), []

    def begin(number: int) -> None:
        mine = Journal(path)
        gate.wait()
        try:
            ends.append(prepare(mine, purchase(f"t{number}")).state)
        except errors.JournalError as error:
            ends.append(str(error))
        finally:
            mine.close()

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == ["prepared"] * 12
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM tasks").fetchone() == (12,)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_is_given_once(tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_links:  # as on a memory stick

        def refuse(*_: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(os, "link", refuse)
    name = tmp_path / "name"
    drafts = [tmp_path / "first", tmp_path / "second"]
    for draft in drafts:
        draft.write_text(draft.name)
    assert [publishing.publish_once(draft, name) for draft in drafts] == [True, False]
    assert name.read_text() == "first"


def test_a_folder_with_any_name_can_hold_the_record(tmp_path: Path) -> None:
    odd_name = "100% ü # & folder" + ("" if sys.platform == "win32" else " ?")
    odd = Journal(tmp_path / odd_name / "journal.sqlite3")
    prepare(odd)
    assert odd.path.stat().st_size > 0
    odd.close()


# -- while a take is on its way ------------------------------------------------------------------------


@posix
async def test_a_record_that_goes_before_the_purchase_stops_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)
        await s.take(studio)
        all_deleted(journal.path)
        with pytest.raises(errors.JournalError, match="Nothing new is bought"):
            await s.take(studio, take=1)
        assert s.state.creates_received == 1
        assert (await s.take(studio)).collected
        assert not (await s.take(studio, take=1)).collected


@posix
@pytest.mark.parametrize("words", ["Sending", "In Kling's queue", "Downloading"])
@pytest.mark.parametrize("lose", [all_deleted, deleted, replaced])
async def test_a_record_that_goes_after_the_purchase_loses_nothing(
    tmp_path: Path, lose: Loss, words: str
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)
        s.heard = Trigger(words, lambda: lose(journal.path))
        with pytest.raises(errors.JournalError, match="is bought already") as caught:
            await s.take(studio)
        assert s.committed[0].id in str(caught.value)
        found = await s.take(studio)
        assert found.collected
        assert found.task_id == s.committed[0].id
        assert s.state.creates_accepted == 1


@posix
async def test_a_run_on_its_way_does_not_write_into_the_record_that_another_has_begun(tmp_path: Path) -> None:
    """The second node meets the loss and begins anew while the first waits for Kling."""
    async with stage(tmp_path, processing_seconds=60) as s:
        journal = s.journal()
        studio = s.studio(journal)
        first = asyncio.ensure_future(s.take(studio))
        while not s.heard.shown("Kling is making the video"):
            await s.clock.sleep(0.1)
        all_deleted(journal.path)
        with pytest.raises(errors.JournalError, match="moved or deleted"):
            await s.take(studio, take=1)
        second = await s.take(studio, take=1)
        with pytest.raises(errors.JournalError, match="exchanged for another one"):
            await first
        row = only_row(journal)
        assert (row.task_id, row.state) == (second.task_id, "delivered")
        assert (await s.take(studio)).collected
        assert s.state.creates_accepted == 2
