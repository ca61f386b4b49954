"""A take whose results have all arrived."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .kling.deduction import Deduction
from .kling.responses import OutputKind


@dataclass(frozen=True)
class DeliveredFile:
    """One result that has arrived; ``duration`` in seconds as Kling says it, empty for a picture."""

    kind: OutputKind
    path: Path
    duration: str = ""


@dataclass(frozen=True)
class Delivered:
    """A take whose results have all arrived."""

    files: tuple[DeliveredFile, ...]
    task_id: str
    external_task_id: str | None
    #: True where this run paid nothing for it
    collected: bool
    #: Kling's own word for a finished task, which each dialect spells its way
    status: str
    deduction: Deduction

    def of_kind(self, kind: OutputKind) -> tuple[DeliveredFile, ...]:
        """Return the results of one kind, in Kling's order."""
        return tuple(file for file in self.files if file.kind == kind)

    @property
    def duration(self) -> str:
        """The length of the first result that has one, in seconds as Kling says it."""
        return next((file.duration for file in self.files if file.duration), "")

    @property
    def receipt(self) -> str:
        """What the take cost, or that nothing was paid, as the last line for its user."""
        what = f"{_trimmed(self.duration)} s of video, task {self.task_id}."
        if self.collected:
            return f"Collected, nothing paid: {what}"
        if not str(self.deduction):
            return f"Delivered: {what}"
        return f"Delivered: {what} Kling deducted {self.deduction}."


def _trimmed(seconds: str) -> str:
    """Return Kling's "5.000" as "5"; anything that is not a number as it is."""
    try:
        return f"{float(seconds):g}"
    except ValueError:
        return seconds or "?"
