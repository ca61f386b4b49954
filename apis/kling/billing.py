"""The account's own bill: every deduction, by the id of its task.

Units of packs and money of the balance are two lists, each in pages. The times of a question are about when a
task was made, and a cursor stands for the whole question that it came from. Source: Kling docs, 2026-09-20.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .deduction import Deduction, amount, of_standard
from .endpoint import ApiEndpoint, HttpMethod
from .responses import Envelope
from .schema import Exact, Open

#: the two lists
UNITS, MONEY = "/account/billing/package", "/account/billing/balance"
#: lines of one page; Kling's own most
PAGE = 500


class BillQuestion(Exact):
    """Which lines: those of tasks made between two times in Unix milliseconds, or those behind a cursor."""

    start_time: int | None = None
    end_time: int | None = None
    limit: int | None = None
    cursor: str | None = None


class BillEntry(Open):
    """One deduction as Kling lists it."""

    task_id: str | int | None = None
    api_key_name: Any = None
    model_name: Any = None
    product_type: Any = None
    deduction_time: Any = None
    deduction_amount: Any = None
    currency: Any = None


class BillDetail(Open):
    detail: list[BillEntry] | None = None


class BillData(Open):
    result: BillDetail | None = None
    next_cursor: str | None = None
    has_more: bool | None = None


class BillReply(Envelope):
    data: BillData | None = None


@dataclass(frozen=True)
class BilledTask:
    """What the bill says about one task: its number of ``lines``, and what they take together."""

    task_id: str
    deduction: Deduction
    lines: int
    model: str = ""
    key_name: str = ""
    #: Unix seconds of the first deduction
    at: float | None = None


def first_page(start: float, end: float) -> BillQuestion:
    """Return the question for the tasks made between two times in Unix seconds."""
    return BillQuestion(start_time=int(start * 1000), end_time=int(end * 1000), limit=PAGE)


def next_page(reply: BillReply) -> BillQuestion | None:
    """Return the question for the page behind this one; None where it was the last.

    Raises ValueError where the answer says nothing about the bill, or of more and not where it is.
    """
    if reply.data is None:
        raise ValueError("Kling's answer says nothing about the bill.")
    if not reply.data.has_more:
        return None
    if not reply.data.next_cursor:
        raise ValueError("Kling speaks of more deductions and does not say where they are.")
    return BillQuestion(cursor=reply.data.next_cursor)


def asked_for(which: str) -> ApiEndpoint[BillQuestion, BillReply]:
    """Return where one of the two lists is; a question about it takes nothing from the account."""
    return ApiEndpoint(which, HttpMethod.POST, BillQuestion, BillReply)


def entries_in(reply: BillReply) -> list[BillEntry]:
    """Return the deductions of one page."""
    result = reply.data.result if reply.data else None
    return (result.detail if result else None) or []


def by_task(units: Iterable[BillEntry], money: Iterable[BillEntry]) -> list[BilledTask]:
    """Return the tasks of both lists with the sum of their deductions, in the order of time.

    A task that two packs paid for has two lines.
    """
    found: dict[str, list[tuple[str, BillEntry]]] = {}
    for kind, entries in (("unit", units), ("cash", money)):
        for entry in entries:
            found.setdefault(_text(entry.task_id), []).append((kind, entry))
    return sorted(
        (_billed(task_id, lines) for task_id, lines in found.items()), key=lambda task: task.at or 0
    )


def _billed(task_id: str, lines: list[tuple[str, BillEntry]]) -> BilledTask:
    billing = [
        {
            "charge_type": kind,
            "amount": entry.deduction_amount,
            "package_type": entry.product_type,
            "currency": entry.currency,
        }
        for kind, entry in lines
    ]
    times = [moment for _, entry in lines if (moment := amount(entry.deduction_time))]
    first = lines[0][1]
    return BilledTask(
        task_id,
        of_standard(billing),
        max(sum(kind == each for kind, _ in lines) for each in ("unit", "cash")),
        _text(first.model_name),
        _text(first.api_key_name),
        min(times) / 1000 if times else None,
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else ""
