"""Whether Kling's own bill and the journal agree: every billed task is one of ours, each once. Pure.

The bill is the account's, the journal this installation's. So a task that only the bill knows is no mistake
of either, and it is named, because it can be collected by its id. What the journal does not know (an amount,
who paid) is never held against the bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from . import errors
from .account import day_of
from .journal import Row
from .kling.billing import BilledTask
from .kling.deduction import Deduction

#: seconds for which a deduction may be missing in the bill: Kling's sums are up to twelve hours old
LATE = 12 * 3600.0
#: seconds by which two computers may tell the time of a create differently
CLOCKS_DIFFER = 3600.0
#: units or money that count as nothing: Kling writes four places
ROUNDING = 0.001
#: tasks named under one heading
NAMED = 100

PAID_STATES = ("succeeded", "delivered")


@dataclass(frozen=True)
class Audit:
    """What a comparison came to, as lines for people; each begins with the id of its task.

    ``problem`` says why there was none.
    """

    since: float
    problem: str = ""
    billed: tuple[BilledTask, ...] = ()
    #: billed more often than once: a task, or a take by two tasks
    twice: tuple[str, ...] = ()
    #: billed with another amount than Kling told with the task, or failed and billed without a word
    otherwise: tuple[str, ...] = ()
    #: paid by the journal's record, and not in the bill
    unlisted: tuple[str, ...] = ()
    #: billed tasks that are in no row
    unknown: tuple[str, ...] = ()
    #: how many billed tasks the journal has under another account
    elsewhere: int = 0
    #: how many paid tasks are too new to be missed
    recent: int = 0
    #: how many takes of this account may have been bought, and nobody here knows as which task
    in_doubt: int = 0

    @property
    def agrees(self) -> bool:
        """Whether bill and journal were compared and say the same of every task that is ours."""
        return not (self.problem or self.twice or self.otherwise or self.unlisted)

    def text(self) -> str:
        """Return the verdict in one line, then what there is to look at."""
        if self.problem:
            return f"Not checked against Kling's bill. {self.problem}"
        return "\n".join([self._verdict(), *self._findings(), *self._notes()])

    def _verdict(self) -> str:
        start = f"Checked against Kling's bill since {day_of(self.since)}:"
        said = [f"{start} {self._billed()}"]
        if not self.agrees:
            said.append("Something does not agree:")
        elif self.billed and len(self.billed) > len(self.unknown):
            said.append("What is from here is billed once, with the amount that Kling told.")
        return " ".join(said)

    def _billed(self) -> str:
        count, strangers = len(self.billed), len(self.unknown)
        if not count:
            return "nothing was billed."
        sums = " and ".join(_sums(task.deduction for task in self.billed))
        whose = f"{count - strangers} of them" if strangers else "all"
        return f"{count} task{'s' * (count != 1)} billed ({sums}), {whose} from here."

    def _findings(self) -> list[str]:
        found = {
            "Billed more than once; ask Kling about it:": self.twice,
            "Billed otherwise than Kling told with the task; ask Kling about it:": self.otherwise,
            "Paid, by the record here, and not in the bill:": self.unlisted,
            "Not in the record here: from another computer, from Kling's site or from another program. Kling "
            "Recover a Take fetches such a video by its id:": self.unknown,
        }
        lines = []
        for heading, entries in found.items():
            if entries:
                lines += [heading, *(f"  {entry}" for entry in entries[:NAMED])]
            if len(entries) > NAMED:
                lines.append(f"  and {len(entries) - NAMED} more: see the Kling console")
        return lines

    def _notes(self) -> list[str]:
        notes = []
        if self.unknown and self.in_doubt:
            notes.append(f"Takes in doubt here, which may be among them: {self.in_doubt}. Queue them again.")
        if self.elsewhere:
            notes.append(f"In the record under another account: {self.elsewhere}.")
        if self.recent:
            notes.append(f"Paid in the last hours, and not yet in the bill: {self.recent}.")
        return notes


def compare(
    rows: Iterable[Row], billed: Iterable[BilledTask], *, account: str, payer: str, since: float, now: float
) -> Audit:
    """Return what bill and journal say of each other.

    ``rows`` are those that have a task or may have one, of every account and none of practice; ``payer`` is
    the credential that the bill was read with: rows of another one may be on another account's bill.
    """
    known: dict[str, Row] = {}
    waiting = []
    for row in sorted(rows, key=lambda row: (row.account == account, row.row_id)):
        if row.task_id is None:
            waiting.append(row)
        else:
            known[row.task_id] = row
    tasks = tuple(billed)
    ours = [(known[task.task_id], task) for task in tasks if task.task_id in known]
    on_bill = {task.task_id for task in tasks}
    missing = [
        row
        for task_id, row in known.items()
        if task_id not in on_bill and _is_due(row, account, payer, since)
    ]
    recent = [row for row in missing if now - (row.finished_at or row.prepared_at) < LATE]
    twice = [task for row, task in ours if task.lines > 1 and not _is_as_told(row, task)]
    return Audit(
        since=since,
        billed=tasks,
        twice=(*(_against(known, task) for task in twice), *_takes_bought_twice(ours)),
        otherwise=tuple(
            _against(known, task) for row, task in ours if not _is_as_told(row, task) and task not in twice
        ),
        unlisted=tuple(
            f"{row.task_id}: {_told(row.deduction)}, {row.model}, {day_of(row.prepared_at)}"
            for row in missing
            if row not in recent
        ),
        unknown=tuple(_line(task) for task in tasks if task.task_id not in known),
        elsewhere=sum(row.account != account for row, _ in ours),
        recent=len(recent),
        in_doubt=sum(row.account == account for row in waiting),
    )


def unreadable(error: errors.ApiError) -> str:
    """Return the ``problem`` of a bill that could not be read."""
    if error.code in (1202, 1203) or error.http_status == 404:
        return "This address does not serve it: see the billing in the Kling console."
    return f"It can't be read here: {error}"


def _is_due(row: Row, account: str, payer: str, since: float) -> bool:
    """Return whether a row must be in the bill: paid from here with this credential, in its time."""
    paid = row.is_billed_failure or (row.state in PAID_STATES and not _is_free(row.deduction))
    mine = row.account == account and row.payer == payer and not row.adopted
    return paid and mine and row.prepared_at >= since + CLOCKS_DIFFER


def _is_free(deduction: Deduction) -> bool:
    """Return whether Kling told that nothing was taken, in both kinds of money."""
    return deduction.units == 0 and deduction.cash == 0


def _is_as_told(row: Row, task: BilledTask) -> bool:
    """Return whether the bill takes what Kling told with the task.

    Where it told nothing one deduction is as good as any, but not for a task that failed.
    """
    told, taken = row.deduction, task.deduction
    if told.units is None and told.cash is None:
        return task.lines == 1 and (row.state != "failed" or not taken)
    # Under /v1/ a task names no currency: that of the region was assumed, and the bill knows it better.
    named = told.currency if row.dialect != "legacy" else ""
    if told.cash and taken.cash and named and named != taken.currency:
        return False
    pairs = ((told.units, taken.units), (told.cash, taken.cash))
    return all(first is None or abs(first - (second or 0.0)) < ROUNDING for first, second in pairs)


def _takes_bought_twice(ours: Iterable[tuple[Row, BilledTask]]) -> list[str]:
    """Return a line for each task with which a take was paid that another task had paid before."""
    found, first = [], dict[tuple[str, str], str]()
    for row, task in ours:
        before = first.setdefault((row.account, row.take), task.task_id)
        if task.deduction and before != task.task_id:
            found.append(f"{_line(task)}: for the same take as {before}")
    return found


def _against(known: Mapping[str, Row], task: BilledTask) -> str:
    row = known[task.task_id]
    failed = " the task failed," if row.state == "failed" else ""
    often = f", in {task.lines} deductions" if task.lines > 1 else ""
    return f"{_line(task)}{often};{failed} Kling told {_told(row.deduction)}"


def _line(task: BilledTask) -> str:
    day = day_of(task.at) if task.at else ""
    key = f"key “{task.key_name}”" if task.key_name else ""
    told = ", ".join(part for part in (_told(task.deduction), task.model, day, key) if part)
    return f"{task.task_id or '(no task id)'}: {told}"


def _told(deduction: Deduction) -> str:
    return str(deduction) or "an unknown amount"


def _sums(deductions: Iterable[Deduction]) -> list[str]:
    """Return the sum of the units, and of the money in each currency."""
    units, cash = 0.0, dict[str, float]()
    for deduction in deductions:
        units += deduction.units or 0.0
        if deduction.cash:
            cash[deduction.currency] = cash.get(deduction.currency, 0.0) + deduction.cash
    sums = [Deduction(round(units, 4))] if units or not cash else []
    return [
        str(each) for each in (*sums, *(Deduction(cash=money, currency=of) for of, money in cash.items()))
    ]
