"""A task in the books: what was ordered, when it ends and how, and what was taken for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .order import Order
from .results import Kind, Output

MODERATION_FAILED = "Failure to pass the risk control system"
MEDIA_FAILED = "Something went wrong when we tried to get the contents of the file."
#: Longest text that is kept of a request; media is far longer.
KEPT_CHARACTERS = 4000


@dataclass(frozen=True)
class RequestRecord:
    """One request as it came in, without credentials and media."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: tuple[str, ...]
    body_json_without_media: Any = None


@dataclass(frozen=True)
class Ending:
    """How a task ends where it does not end as usual.

    `status` is the server's word, in whatever spelling. `billed`: None is the usual, a success and nothing
    else is paid for.
    """

    status: str = "succeed"
    billed: bool | None = None
    message: str = ""


@dataclass
class SimTask:
    """One accepted task. Times are seconds of `State.clock`; `outcome` is None until it is settled."""

    id: str
    account: str
    external_task_id: str | None
    product: str
    dialect: str
    body: Any
    order: Order
    outputs: tuple[Output, ...]
    package: Kind
    slots: int
    created_at: float
    started_at: float
    due_at: float
    fails_with: str = ""
    ends_as: str = ""
    billed: bool | None = None
    price_units: float = 0.0
    outcome: str | None = None
    message: str = ""
    finished_at: float | None = None
    billed_units: float | None = None
    billed_cash: float = 0.0
    currency: str = ""
    rendering: bool = False
    owner: str = ""
    key_name: str = ""

    def output_id(self, place: int) -> str:
        """Return Kling's own id of one output, by its place among the task's outputs."""
        return self.id[::-1] + (f"{place + 1}" if place else "")

    @property
    def costs(self) -> bool:
        """Whether the task is paid for when it ends."""
        return not (self.fails_with or self.ends_as) if self.billed is None else self.billed

    def end(self, ending: Ending) -> None:
        """Decide how the task will end."""
        self.billed = ending.billed
        self.fails_with = self.ends_as = ""
        if ending.status == "failed":
            self.fails_with = ending.message or MODERATION_FAILED
        elif ending.status != "succeed":
            self.fails_with, self.ends_as = ending.message, ending.status


def without_media(value: Any) -> Any:
    """Return a JSON value with every very long text replaced by its length."""
    if isinstance(value, str):
        return value if len(value) <= KEPT_CHARACTERS else f"<{len(value)} characters>"
    if isinstance(value, Mapping):
        return {key: without_media(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_media(entry) for entry in value]
    return value
