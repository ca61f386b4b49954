"""A SQLite file that several processes and an event loop use at once, and that is never trusted blindly.

When it can't be read or written, is damaged, of a newer version, or no longer the file that has the journal's
name, every use of it raises JournalError.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from .. import errors
from . import refusals
from .creation import bring_up, create, side_files
from .identity import FileSeen, Standing, file_at, standing
from .network import network_drive

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
        self._opened: FileSeen | None = None
        self._sides: dict[Path, FileSeen | None] = {}

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
            shared = network_drive(self.path.parent) is not None
            if file_at(self.path) is None:
                create(self.path, self._migrations, shared=shared)
            self._opened = opened = file_at(self.path)
            if opened is None or opened.size == 0:
                raise refusals.lost(self.path, Standing.EMPTIED if opened else Standing.GONE)
            connection = self._connect()
            if shared and connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
                raise sqlite3.OperationalError("locked in a way that is not for network drives")
            # FULL: a row that says "about to pay" must survive a power cut, or the cut costs a second take.
            connection.execute("PRAGMA synchronous = FULL")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("malformed")
            bring_up(connection, self._migrations, self.path)
            # A read-only file opens and reads well; only a write shows it.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            self._sides = {side: file_at(side) for side in side_files(self.path)}
        except (sqlite3.Error, OSError) as error:
            if connection is not None:
                connection.close()
            if refusals.is_corrupt(error):
                raise self._set_aside() from error
            raise self._refusal(error) from error
        except errors.JournalError:
            if connection is not None:
                connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        # rw: a file that has just gone must not come back empty.
        name = self.path.absolute().as_posix()
        uri = f"file://{'' if name.startswith('/') else '/'}{quote(os.fsencode(name))}?mode=rw"
        return sqlite3.connect(
            uri, uri=True, timeout=LOCK_PATIENCE, isolation_level=None, check_same_thread=False
        )

    def _set_aside(self) -> errors.JournalError:
        try:
            if self._opened is not None and standing(self._opened, file_at(self.path)) is Standing.REPLACED:
                return refusals.begun_anew()
            stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
            kept = self.path.with_name(f"{self.path.stem}.corrupt-{stamp}{self.path.suffix}")
            sides = side_files(self.path)
            self.path.replace(kept)
            for side in sides:
                side.replace(kept.with_name(kept.name + side.name.removeprefix(self.path.name)))
        except OSError:
            return refusals.stuck(self.path)
        return refusals.set_aside(self.path, kept)

    def _refusal(self, error: Exception) -> errors.JournalError:
        return refusals.unusable(self.path, error)

    # -- a file that loses its name --------------------------------------------------------------------

    def _standing(self) -> Standing:
        """Return whether the open file still has the journal's name."""
        return Standing.GONE if self._opened is None else standing(self._opened, file_at(self.path))

    def _left(self, connection: sqlite3.Connection, how: Standing) -> errors.JournalError:
        """Close a file that has lost its name, and return the refusal; the next use opens what is there then.

        It is made whole before, because it may be put back, and takes its side files along: SQLite would
        read them into whatever gets the name next.
        """
        self._connection, whole = None, False
        if how is not Standing.EMPTIED:
            with suppress(sqlite3.Error):
                whole = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        connection.close()
        for side, seen in self._sides.items():
            with suppress(OSError):
                if whole and seen is not None and (now := file_at(side)) is not None and now.is_same(seen):
                    side.unlink()
        return refusals.lost(self.path, how)

    def notice(self) -> str | None:
        """Return what the user should know about the place of the file; None where it is an ordinary one."""
        kind = network_drive(self.path.parent)
        if kind is None:
            return None
        return (
            f"ComfyUI's user folder is on a network drive ({kind}). The record of paid takes is kept there "
            "in a slower way, which several computers can share as long as the drive keeps file locks."
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
                    how = self._standing()
                    if how is Standing.SAME:
                        result = work(connection)
                        connection.execute("COMMIT")
                        return result
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except (sqlite3.Error, OSError) as error:
                raise self._trouble(error) from error
            raise self._left(connection, how)

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                connection = self.open()
                how = self._standing()
                if how is Standing.SAME:
                    return connection.execute(query, values).fetchall()
            except (sqlite3.Error, OSError) as error:
                raise self._trouble(error) from error
            raise self._left(connection, how)

    def _trouble(self, error: Exception) -> errors.JournalError:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return self._set_aside() if refusals.is_corrupt(error) else self._refusal(error)


def _wake(waiter: asyncio.Future[None]) -> None:
    """Tell the loop, from the worker's thread, that the job is done; a loop that has ended needs no news."""

    def tell() -> None:
        if not waiter.done():
            waiter.set_result(None)

    try:
        waiter.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:
        return
