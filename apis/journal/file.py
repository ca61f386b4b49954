"""A SQLite file that several processes and an event loop use at once, and that is never trusted blindly.

When it can't be read or written, or is damaged, or of a newer version, every use of it raises JournalError.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from .. import errors

T = TypeVar("T")

#: seconds that another process may hold the journal before we refuse to spend
LOCK_PATIENCE = 5.0
#: seconds that a cancelled caller still waits for its commit: one takes some ms, and Cancel is to be answered
CANCEL_PATIENCE = 0.05


class JournalFile:
    """The SQLite file at ``path``; several processes may use it at once.

    All methods but ``call`` block for a few ms and raise JournalError when the file can't be trusted.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        """Nothing is opened yet; the first use does that."""
        self.path = path
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._worker: ThreadPoolExecutor | None = None
        self._opened: tuple[int, int] | None = None

    # -- opening ---------------------------------------------------------------------------------------

    def open(self) -> sqlite3.Connection:
        """Return the connection, checked and brought to the present version."""
        if self._connection is None:
            self._connection = self._checked()
        return self._connection

    def close(self) -> None:
        """Let go of the file and the worker thread."""
        if self._worker is not None:
            self._worker.shutdown(wait=True)
            self._worker = None
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _checked(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._opened = self._identity()
            connection = self._connect()
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            self._opened = self._opened or self._identity()  # it did not exist before
            # FULL: a row that says "about to pay" must survive a power cut, or the cut costs a second take.
            connection.execute("PRAGMA synchronous = FULL")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("malformed")
            self._migrate(connection)
            # A read-only file opens and reads well; only a write shows it.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            if connection is not None:
                connection.close()
            if _is_corrupt(error):
                raise self._set_aside() from error
            raise self._refusal(error) from error
        except errors.JournalError:
            if connection is not None:
                connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path, timeout=LOCK_PATIENCE, isolation_level=None, check_same_thread=False
        )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        known = len(self._migrations)
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > known:
                raise errors.JournalError(
                    f"The record of paid takes ({self.path.name}) was written by a newer version of Kling "
                    "Takes (or not by it). Nothing is bought, so that nothing is bought twice: update the "
                    "pack."
                )
            for step in range(version, known):
                for statement in _statements(self._migrations[step]):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {known:d}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _identity(self) -> tuple[int, int] | None:
        """Return which file has the path now; None for none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _set_aside(self) -> errors.JournalError:
        if self._opened is not None and self._identity() not in (None, self._opened):
            return errors.JournalError(
                "The record of paid takes was damaged, and another ComfyUI has begun a new one meanwhile. "
                "Nothing is bought without one. Queue again to go on with the new record."
            )
        stamp = time.strftime("%Y%m%d-%H%M%S")
        kept = self.path.with_name(
            f"{self.path.stem}.corrupt-{stamp}-{secrets.token_hex(2)}{self.path.suffix}"
        )
        try:
            self.path.replace(kept)
            for tail in ("-wal", "-shm"):
                side = self.path.with_name(self.path.name + tail)
                if side.exists():
                    side.replace(kept.with_name(kept.name + tail))
        except OSError:
            return errors.JournalError(
                f"The record of paid takes, {self.path.name} in ComfyUI's user/{self.path.parent.name} "
                "folder, is damaged and could not be set aside. Nothing is bought. Close other ComfyUI "
                "processes, move the file away, then queue again: Kling refuses a second purchase of the "
                "same take."
            )
        return errors.JournalError(
            "The record of paid takes was damaged, and nothing is bought without one. It is kept as "
            f"{kept.name} in ComfyUI's user/{self.path.parent.name} folder. Queue again to go on with a new "
            "record: with your own Kling key, takes that you have paid for are found at Kling and collected, "
            "not bought again."
        )

    def _refusal(self, error: Exception) -> errors.JournalError:
        where = f"{self.path.name} in ComfyUI's user/{self.path.parent.name} folder"
        if "locked" in str(error) or "busy" in str(error):
            return errors.JournalError(
                f"The record of paid takes, {where}, is locked by another program. Nothing is bought without "
                "it. Close what holds it, then queue again."
            )
        return errors.JournalError(
            f"The record of paid takes, {where}, can't be written ({type(error).__name__}: {error}). "
            "Nothing is bought without it. Check that the folder is writable and the disk is not full, "
            "then queue again."
        )

    # -- using it from an event loop -------------------------------------------------------------------

    async def call(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run a method of this journal off the event loop.

        A caller that is cancelled waits up to CANCEL_PATIENCE for a commit under way, then is cancelled. The
        commit itself is never given up: it ends in its own thread, before anything that is asked for later.
        """
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kling-takes-journal")
        job = self._worker.submit(work, *arguments, **named)
        waiter = asyncio.get_running_loop().create_future()
        job.add_done_callback(lambda _job: _wake(waiter))
        try:
            await asyncio.wait({waiter})
        except asyncio.CancelledError:
            # Waiting here without the loop would make n nodes at a locked journal wait one after the other.
            await asyncio.wait({waiter}, timeout=CANCEL_PATIENCE)
            raise
        return job.result()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                connection = self.open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                return result
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self.open().execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.Error) -> errors.JournalError:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return self._set_aside() if _is_corrupt(error) else self._refusal(error)


def _is_corrupt(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, sqlite3.DatabaseError) and any(
        sign in text for sign in ("malformed", "not a database", "corrupt")
    )


def _statements(script: str) -> list[str]:
    """Return the script's statements one by one: ``executescript`` would end the transaction around them."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _wake(waiter: asyncio.Future[None]) -> None:
    """Tell the loop, from the worker's thread, that the job is done; a loop that has ended needs no news."""

    def tell() -> None:
        if not waiter.done():
            waiter.set_result(None)

    try:
        waiter.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:
        return
