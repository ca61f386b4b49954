"""The record of paid tasks: what was bought, how far it got, what it cost.

The journal is written before money can be spent and read before it is spent again. When it can't be read or
written the pack buys nothing. It holds no key, no media and no link: Kling gives a fresh link for a task id.
A row is never deleted.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .. import errors
from ..kling.deduction import Deduction
from . import refusals, spending
from .file import JournalFile
from .rows import COLUMNS, OPEN_STATES, KeptOutput, Purchase, Row, row_of, write_outputs
from .schema import MIGRATIONS

#: how many earlier tasks of a kind say how long the next one takes
HISTORY = 20
#: states in which a create may go out (again) under the row's id
MAY_BE_SENT = (*OPEN_STATES, "refused")
#: a row that says that another account has paid a take, or may have, with the same kind of money
ELSEWHERE = (
    "account != ? AND practice = ? AND "
    "(state IN ('prepared', 'told', 'submitted', 'succeeded', 'delivered') "
    "OR (state = 'failed' AND (deducted_units > 0 OR deducted_cash > 0)))"
)
#: A new record counts its rows from a random number below this, so that a row of another record, which a run
#: may still hold after an exchange of files, is never taken for one of its own.
FIRST_ROWS = 2**48


class Journal(JournalFile):
    """The record at ``path``; several processes may use it at once.

    All methods but ``call`` block for a few ms and raise JournalError when the file can't be trusted.
    """

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Nothing is opened yet; the first use does that."""
        super().__init__(path, migrations)

    def find(self, account: str, take: str) -> Row | None:
        """Return the latest attempt at a take, or None."""
        return self._one("account = ? AND take = ? ORDER BY attempt DESC LIMIT 1", account, take)

    def find_task(self, account: str, some_id: str) -> Row | None:
        """Return the row of a task id or an external task id, or None."""
        return self._one(
            "account = ? AND (task_id = ? OR external_task_id = ?) ORDER BY row_id DESC LIMIT 1",
            account,
            some_id,
            some_id,
        )

    def find_elsewhere(self, purchase: Purchase, former_takes: Sequence[str] = ()) -> Row | None:
        """Return the latest attempt at a take that is paid or in doubt under another account, or None.

        ``former_takes`` are other names under which the very same was bought.
        """
        takes = (purchase.take, *former_takes)
        condition = f"take IN ({_marks(takes)}) AND {ELSEWHERE} ORDER BY row_id DESC LIMIT 1"
        return self._one(condition, *takes, purchase.account, int(purchase.practice))

    def at_kling(self, *, practice: bool) -> list[Row]:
        """Return every row that has a task, or may have one, of all accounts, in the order of writing."""
        rows = self._read(
            f"SELECT {COLUMNS} FROM tasks WHERE practice = ? "  # noqa: S608 - constants
            "AND (task_id IS NOT NULL OR state IN ('prepared', 'told')) ORDER BY row_id",
            (int(practice),),
        )
        return [row_of(row) for row in rows]

    def _one(self, condition: str, *values: object) -> Row | None:
        # The condition is a constant of this module; values are bound.
        rows = self._read(f"SELECT {COLUMNS} FROM tasks WHERE {condition}", values)  # noqa: S608 - constants
        return row_of(rows[0]) if rows else None

    def prepare(
        self,
        purchase: Purchase,
        *,
        now: float,
        day_start: float,
        limit_usd: float | None = None,
        former_takes: Sequence[str] = (),
        found: bool = False,
    ) -> Row:
        """Write down that a create is about to leave, and return its row; one that has a task stays as it is.

        Raises BoughtElsewhere where another account of this journal has paid the take, under this name or a
        former one, or may have, and SpendingLimitReached when the day's sum with this purchase would pass
        ``limit_usd``. Both and the row are one transaction, so that two processes can't both be the first. A
        task that was ``found`` at Kling is no purchase, and neither is asked.
        """
        own = (purchase.account, purchase.take, purchase.attempt)
        takes = (purchase.take, *former_takes)
        # The conditions are constants of this module; values are bound.
        elsewhere = f"SELECT 1 FROM tasks WHERE take IN ({_marks(takes)}) AND {ELSEWHERE}"  # noqa: S608
        of_this = f"SELECT {COLUMNS} FROM tasks WHERE account = ? AND take = ? AND attempt = ?"  # noqa: S608
        names = [field.name for field in fields(Purchase)]
        insert = (
            f"INSERT INTO tasks (row_id, {', '.join(names)}, state, sends, prepared_at) "  # noqa: S608
            f"VALUES ((SELECT COALESCE(MAX(row_id), ?) + 1 FROM tasks), {_marks(names)}, 'prepared', 1, ?) "
            "ON CONFLICT (account, take, attempt) DO UPDATE SET state = 'prepared', "
            "sends = CASE state WHEN 'refused' THEN 1 ELSE sends + 1 END, adopted = 0, "
            "prepared_at = excluded.prepared_at, estimated_units = excluded.estimated_units, "
            "estimated_usd = excluded.estimated_usd, prompt_id = excluded.prompt_id, "
            "node_id = excluded.node_id, dialect = excluded.dialect, payer = excluded.payer, failure = NULL"
        )

        def work(connection: sqlite3.Connection) -> Row:
            before = connection.execute(of_this, own).fetchone()
            if before is not None and (row := row_of(before)).state not in MAY_BE_SENT:
                return row
            if not found:
                others = (*takes, purchase.account, int(purchase.practice))
                if connection.execute(elsewhere, others).fetchone():
                    raise errors.BoughtElsewhere("Another account has bought this take, or may have.")
                if limit_usd is not None:
                    spent = self._spent(connection, purchase, day_start)
                    spending.refuse_beyond(limit_usd, spent, purchase.estimated_usd)
            values = [getattr(purchase, name) for name in names]
            connection.execute(insert, [secrets.randbelow(FIRST_ROWS), *values, now])
            return row_of(connection.execute(of_this, own).fetchone())

        return self._write(work)

    def spent_today(self, *, practice: bool, day_start: float) -> float:
        """Return the USD spent since ``day_start``: the deduction where Kling told it, else the estimate."""
        rows = self._read(spending.SPENT, (int(practice), day_start, "", "", 0))
        return float(rows[0][0])

    @staticmethod
    def _spent(connection: sqlite3.Connection, purchase: Purchase, day_start: float) -> float:
        own = (purchase.account, purchase.take, purchase.attempt)
        row = connection.execute(spending.SPENT, (int(purchase.practice), day_start, *own)).fetchone()
        return float(row[0])

    def submitted(
        self,
        row_id: int,
        task_id: str,
        *,
        now: float,
        dialect: str,
        adopted: bool = False,
        payer: str | None = None,
    ) -> None:
        """Write down Kling's task. ``adopted``: it was paid by another machine's create under the same id.

        A row of which another process here has sent a create as well counts as paid from here: that process
        may not live to say so.
        """
        self._set(
            row_id,
            (*MAY_BE_SENT, "submitted"),
            "state = 'submitted', task_id = ?, submitted_at = COALESCE(submitted_at, ?), "
            "dialect = ?, adopted = CASE WHEN sends <= 1 THEN ? ELSE 0 END, payer = COALESCE(?, payer), "
            "unseen = 0, failure = NULL",
            task_id,
            now,
            dialect,
            int(adopted),
            payer,
        )

    def started(self, row_id: int, *, now: float) -> None:
        """Write down that Kling has begun to work on the task."""
        self._set(row_id, ("submitted",), "started_at = COALESCE(started_at, ?)", now)

    def succeeded(
        self,
        row_id: int,
        *,
        now: float,
        outputs: Sequence[KeptOutput],
        deduction: Deduction,
        spent_usd: float | None = None,
    ) -> None:
        """Write down that the results are made; where ``outputs`` is empty, those known before stay.

        A task whose links have expired names no results any more, and their files are still here.
        """
        self._set(
            row_id,
            ("submitted", "succeeded", "delivered"),
            "state = CASE state WHEN 'delivered' THEN state ELSE 'succeeded' END, "
            "finished_at = COALESCE(finished_at, ?), duration = COALESCE(?, duration), "
            f"outputs = COALESCE(?, outputs), {_DEDUCTED}",
            now,
            next((output.duration for output in outputs if output.duration), None),
            write_outputs(outputs) if outputs else None,
            *_deducted(deduction, spent_usd),
        )

    def delivered(self, row_id: int, *, now: float, outputs: Sequence[KeptOutput] | None = None) -> None:
        """Write down that every result has arrived here, and with ``outputs`` how large the files are."""
        self._set(
            row_id,
            ("submitted", "succeeded", "delivered"),
            "state = 'delivered', delivered_at = ?, outputs = COALESCE(?, outputs)",
            now,
            write_outputs(outputs) if outputs else None,
        )

    def refused(self, row_id: int, reason: str, *, sends: int | None = None) -> None:
        """Write down that Kling made nothing; the same id may be used again.

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

    def in_doubt(self, row_id: int, reason: str) -> None:
        """Write down that the user was told: a create may have been carried out and can't be looked up."""
        self._set(row_id, OPEN_STATES, "state = 'told', failure = ?", reason[:500])

    def failed(
        self,
        row_id: int,
        reason: str,
        *,
        now: float,
        deduction: Deduction = Deduction(),  # noqa: B008 - frozen
        spent_usd: float | None = None,
    ) -> None:
        """Write down that the task failed at Kling. Unbilled, the next run starts another attempt."""
        self._set(
            row_id,
            ("submitted",),
            f"state = 'failed', finished_at = ?, failure = ?, {_DEDUCTED}",
            now,
            reason[:500],
            *_deducted(deduction, spent_usd),
        )

    def not_shown(self, row_id: int) -> None:
        """Write down that Kling knows the task and did not show it: it was paid before, and not from here.

        So the create that it refused made nothing. Where another process has sent one more since, that may
        have.
        """
        self._set(
            row_id,
            OPEN_STATES,
            "unseen = unseen + 1, adopted = CASE WHEN sends <= 1 THEN 1 ELSE 0 END, "
            "sends = CASE WHEN sends <= 1 THEN 0 ELSE sends END",
        )

    def _set(self, row_id: int, states: Sequence[str], assignment: str, *values: object) -> None:
        # Another process may have brought the row further meanwhile; a row never goes back. The assignment
        # is a constant of this module; values are bound.
        statement = f"UPDATE tasks SET {assignment} WHERE row_id = ? AND state IN ({_marks(states)})"  # noqa: S608
        is_there = "SELECT 1 FROM tasks WHERE row_id = ?"

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(statement, (*values, row_id, *states)).rowcount
            if not changed and connection.execute(is_there, (row_id,)).fetchone() is None:
                raise refusals.other_record()

        self._write(work)

    def durations(self, account: str, kind: str) -> list[float]:
        """Return the seconds from submission to end of the latest tasks of a kind."""
        rows = self._read(
            "SELECT finished_at - submitted_at FROM tasks WHERE account = ? AND kind = ? "
            "AND state IN ('succeeded', 'delivered') AND finished_at > submitted_at AND adopted = 0 "
            "ORDER BY finished_at DESC LIMIT ?",
            (account, kind, HISTORY),
        )
        return [float(row[0]) for row in rows]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


_DEDUCTED = (
    "deducted_units = COALESCE(?, deducted_units), deducted_cash = COALESCE(?, deducted_cash), "
    "deducted_currency = COALESCE(?, deducted_currency), spent_usd = COALESCE(?, spent_usd)"
)


def _deducted(deduction: Deduction, spent_usd: float | None) -> tuple[object, ...]:
    return deduction.units, deduction.cash, deduction.currency or None, spent_usd
