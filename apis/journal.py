"""The record of paid tasks: what was bought, how far it got, what it cost.

The journal is written before money can be spent and read before it is spent again. When it can't be read or
written the pack buys nothing. It holds no key, no media and no link: Kling gives a fresh link for a task id.
A row is never deleted.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from . import errors
from .journal_schema import MIGRATIONS

T = TypeVar("T")

#: seconds that another process may hold the journal before we refuse to spend
LOCK_PATIENCE = 5.0
#: seconds that a cancelled caller still waits for its commit: one takes some ms, and Cancel is to be answered
CANCEL_PATIENCE = 0.05
#: how many earlier tasks of a kind say how long the next one takes
HISTORY = 20

#: States in which a create may have been sent and its outcome is not known.
OPEN_STATES = ("prepared", "told")


@dataclass(frozen=True)
class Row:
    """One attempt at one take; times are Unix seconds, money is units and USD."""

    row_id: int
    account: str
    take: str
    attempt: int
    external_task_id: str | None
    task_id: str | None
    state: str
    sends: int
    adopted: int
    practice: int
    product: str
    dialect: str
    model: str
    kind: str
    estimated_units: float | None
    estimated_usd: float | None
    deducted_units: float | None
    duration: str | None
    failure: str | None
    prompt_id: str | None
    node_id: str | None
    prepared_at: float
    submitted_at: float | None
    started_at: float | None
    finished_at: float | None
    delivered_at: float | None


@dataclass(frozen=True)
class Purchase:
    """What ``prepare`` writes down before a create leaves."""

    account: str
    take: str
    attempt: int
    external_task_id: str | None
    practice: bool
    product: str
    dialect: str
    model: str
    kind: str
    estimated_units: float | None = None
    estimated_usd: float | None = None
    prompt_id: str | None = None
    node_id: str | None = None


_COLUMNS = ", ".join(field.name for field in fields(Row))


class Journal:
    """The SQLite file at ``path``; several processes may use it at once.

    All methods but ``call`` block for a few ms and raise JournalError when the file can't be trusted.
    """

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Nothing is opened yet; the first use does that."""
        self.path = path
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._worker: ThreadPoolExecutor | None = None

    # -- opening ---------------------------------------------------------------------------------------

    def open(self) -> sqlite3.Connection:
        """The connection, checked and brought to the present version."""
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
            connection = self._connect()
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
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

    def _set_aside(self) -> errors.JournalError:
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

    # -- what it records -------------------------------------------------------------------------------

    def find(self, account: str, take: str) -> Row | None:
        """The latest attempt at a take, or None."""
        return self._one("account = ? AND take = ? ORDER BY attempt DESC LIMIT 1", account, take)

    def find_task(self, account: str, some_id: str) -> Row | None:
        """The row of a task id or an external task id, or None."""
        return self._one(
            "account = ? AND (task_id = ? OR external_task_id = ?) ORDER BY row_id DESC LIMIT 1",
            account,
            some_id,
            some_id,
        )

    def _one(self, condition: str, *values: object) -> Row | None:
        # The condition is a constant of this module; values are bound.
        rows = self._read(f"SELECT {_COLUMNS} FROM tasks WHERE {condition}", values)  # noqa: S608
        return Row(*rows[0]) if rows else None

    def prepare(
        self, purchase: Purchase, *, now: float, day_start: float, limit_usd: float | None = None
    ) -> Row:
        """Write down that a create is about to leave, and return its row.

        Raises SpendingLimitReached when the day's sum with this purchase would pass ``limit_usd``. Sum and
        row are one transaction, so that two processes can't both take the last of it.
        """

        def work(connection: sqlite3.Connection) -> Row:
            if limit_usd is not None:
                spent = self._spent(connection, purchase, day_start)
                _refuse_beyond(limit_usd, spent, purchase.estimated_usd)
            names = [field.name for field in fields(Purchase)]
            values = [getattr(purchase, name) for name in names]
            connection.execute(
                f"INSERT INTO tasks ({', '.join(names)}, state, sends, prepared_at) "  # noqa: S608 - constants
                f"VALUES ({', '.join('?' * len(names))}, 'prepared', 1, ?) "
                "ON CONFLICT (account, take, attempt) DO UPDATE SET state = 'prepared', "
                "sends = CASE state WHEN 'refused' THEN 1 ELSE sends + 1 END, "
                "prepared_at = excluded.prepared_at, estimated_units = excluded.estimated_units, "
                "estimated_usd = excluded.estimated_usd, prompt_id = excluded.prompt_id, "
                "node_id = excluded.node_id, dialect = excluded.dialect, failure = NULL "
                "WHERE state IN ('prepared', 'told', 'refused')",
                [*values, now],
            )
            row = Row(
                *connection.execute(
                    f"SELECT {_COLUMNS} FROM tasks WHERE account = ? AND take = ? AND attempt = ?",  # noqa: S608
                    (purchase.account, purchase.take, purchase.attempt),
                ).fetchone()
            )
            return row

        return self._write(work)

    def spent_today(self, *, practice: bool, day_start: float) -> float:
        """USD of creates since ``day_start``: the deduction where Kling told it, else the estimate."""
        rows = self._read(_SPENT, (int(practice), day_start, "", "", 0))
        return float(rows[0][0])

    @staticmethod
    def _spent(connection: sqlite3.Connection, purchase: Purchase, day_start: float) -> float:
        own = (purchase.account, purchase.take, purchase.attempt)
        row = connection.execute(_SPENT, (int(purchase.practice), day_start, *own)).fetchone()
        return float(row[0])

    def submitted(
        self, row_id: int, task_id: str, *, now: float, dialect: str, adopted: bool = False
    ) -> None:
        """Kling has the task. ``adopted``: it was paid by another machine's create under the same id.

        A row of which another process here has sent a create as well counts as paid from here: that process
        may not live to say so.
        """
        self._set(
            row_id,
            ("prepared", "told", "refused", "submitted"),
            "state = 'submitted', task_id = ?, submitted_at = COALESCE(submitted_at, ?), "
            "dialect = ?, adopted = CASE WHEN sends <= 1 THEN ? ELSE 0 END, failure = NULL",
            task_id,
            now,
            dialect,
            int(adopted),
        )

    def started(self, row_id: int, *, now: float) -> None:
        """Kling has begun to work on the task."""
        self._set(row_id, ("submitted",), "started_at = COALESCE(started_at, ?)", now)

    def succeeded(self, row_id: int, *, now: float, duration: str, deducted_units: float | None) -> None:
        """The video is made."""
        self._set(
            row_id,
            ("submitted", "succeeded", "delivered"),
            "state = CASE state WHEN 'delivered' THEN state ELSE 'succeeded' END, "
            "finished_at = COALESCE(finished_at, ?), duration = ?, "
            "deducted_units = COALESCE(?, deducted_units)",
            now,
            duration,
            deducted_units,
        )

    def delivered(self, row_id: int, *, now: float) -> None:
        """The video has arrived here."""
        self._set(
            row_id, ("submitted", "succeeded", "delivered"), "state = 'delivered', delivered_at = ?", now
        )

    def refused(self, row_id: int, reason: str, *, sends: int | None = None) -> None:
        """Kling made nothing; the same id may be used again.

        ``sends``: how many creates the caller knows of. Where another process has sent one more since, its
        outcome is not ours to say, and the row stays as it is.
        """
        self._set(
            row_id,
            OPEN_STATES,
            "state = CASE WHEN sends = COALESCE(?, sends) THEN 'refused' ELSE state END, failure = ?",
            sends,
            reason[:500],
        )

    def told(self, row_id: int, reason: str) -> None:
        """The user was told that a create may have been carried out and can't be looked up."""
        self._set(row_id, OPEN_STATES, "state = 'told', failure = ?", reason[:500])

    def failed(self, row_id: int, reason: str, *, now: float) -> None:
        """The task failed at Kling, unbilled; the next run starts another attempt."""
        self._set(row_id, ("submitted",), "state = 'failed', finished_at = ?, failure = ?", now, reason[:500])

    def _set(self, row_id: int, states: Sequence[str], assignment: str, *values: object) -> None:
        # Another process may have brought the row further meanwhile; a row never goes back. The assignment
        # is a constant of this module; values are bound.
        marks = ", ".join("?" * len(states))
        statement = f"UPDATE tasks SET {assignment} WHERE row_id = ? AND state IN ({marks})"  # noqa: S608

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(statement, (*values, row_id, *states))

        self._write(work)

    def durations(self, account: str, kind: str) -> list[float]:
        """Seconds from submission to end of the latest tasks of a kind."""
        rows = self._read(
            "SELECT finished_at - submitted_at FROM tasks WHERE account = ? AND kind = ? "
            "AND state IN ('succeeded', 'delivered') AND finished_at > submitted_at AND adopted = 0 "
            "ORDER BY finished_at DESC LIMIT ?",
            (account, kind, HISTORY),
        )
        return [float(row[0]) for row in rows]


_journals: dict[Path, Journal] = {}
_journals_lock = threading.Lock()


def shared_journal(path: Path) -> Journal:
    """This process's one journal at ``path``: opened and checked once, used by all nodes."""
    with _journals_lock:
        return _journals.setdefault(path, Journal(path))


def close_journals() -> None:
    """Let go of every shared journal; the next use opens its own again."""
    with _journals_lock:
        while _journals:
            _journals.popitem()[1].close()


#: Every create that was or may have been carried out counts, except the row about to be written itself.
_SPENT = """
    SELECT COALESCE(SUM(CASE WHEN deducted_units IS NOT NULL AND estimated_units > 0
                             THEN deducted_units * estimated_usd / estimated_units
                             ELSE COALESCE(estimated_usd, 0) END), 0)
    FROM tasks
    WHERE practice = ? AND prepared_at >= ? AND adopted = 0 AND state NOT IN ('refused', 'failed')
      AND NOT (account = ? AND take = ? AND attempt = ?)
"""


def _refuse_beyond(limit: float, spent: float, price: float | None) -> None:
    if price is None:
        raise errors.SpendingLimitReached(
            "KLING_MAX_USD_PER_DAY is set, and this model has no price in the model table, so the limit "
            "can't be kept. Add the price to your models.json, or choose another model_name. Nothing was "
            "sent."
        )
    if spent + price > limit + 1e-9:
        raise errors.SpendingLimitReached(
            f"This take costs about ${price:.2f}, and ${spent:.2f} of today's ${limit:.2f} are spent "
            "(KLING_MAX_USD_PER_DAY). Nothing was sent. Raise the limit or go on tomorrow; collecting takes "
            "that are already paid for costs nothing."
        )


def _is_corrupt(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, sqlite3.DatabaseError) and any(
        sign in text for sign in ("malformed", "not a database", "corrupt")
    )


def _statements(script: str) -> list[str]:
    """The script's statements one by one: ``executescript`` would end the transaction that protects them."""
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
