"""What a row of the journal says, and how it is read from its columns. Pure.

The results of a task are a list in one column. They say what lies in the user's folder, and whoever has lost
them can ask Kling again, so a list that can't be read counts as empty: it must never cost a take.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..kling.deduction import Deduction
from ..kling.responses import OutputKind

#: States in which a create may have been sent and its outcome is not known.
OPEN_STATES = ("prepared", "told")


@dataclass(frozen=True)
class KeptOutput:
    """One result of a task: its file in the user's folder of takes. No link: Kling gives a fresh one."""

    kind: OutputKind
    name: str  #: of the file, without its folder
    duration: str = ""  #: seconds, as Kling says it
    bytes: int | None = None  #: of the whole file, once it has arrived


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
    payer: str | None
    deducted_cash: float | None
    deducted_currency: str | None
    spent_usd: float | None
    unseen: int
    outputs: tuple[KeptOutput, ...] = ()

    @property
    def deduction(self) -> Deduction:
        """What Kling took for it."""
        return Deduction(self.deducted_units, self.deducted_cash, self.deducted_currency or "")

    @property
    def is_billed_failure(self) -> bool:
        """Whether Kling billed a task that failed."""
        return self.state == "failed" and bool(self.deduction)


@dataclass(frozen=True)
class Purchase:
    """What ``Journal.prepare`` writes down before a create leaves."""

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
    payer: str | None = None


#: the columns of a row, in the order in which ``row_of`` takes them
COLUMNS = ", ".join(field.name for field in fields(Row))


def row_of(values: Sequence[Any]) -> Row:
    """Return the row whose ``COLUMNS`` have these values."""
    *plain, outputs = values
    return Row(*[*plain, read_outputs(outputs)])


def read_outputs(text: Any) -> tuple[KeptOutput, ...]:
    """Return the results that a column holds; none where it is NULL or damaged."""
    try:
        found = tuple(
            KeptOutput(each["kind"], each["name"], each["duration"], each["bytes"])
            for each in json.loads(text)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    return found if all(_is_sound(each) for each in found) else ()


def write_outputs(outputs: Sequence[KeptOutput]) -> str:
    """Return the text of a column that holds ``outputs``."""
    return json.dumps([asdict(output) for output in outputs])


def _is_sound(output: KeptOutput) -> bool:
    texts = (output.kind, output.name, output.duration)
    return all(isinstance(text, str) for text in texts) and type(output.bytes) in (int, type(None))
