"""What a node shows while its takes are on their way. Pure.

A node fed with a list runs all its items at once under one id. One take has a line of its own, and
sentences below it; many share one line that counts them, the sum of their prices and the newest notes, so
that what is shown stays short whatever the list's length.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate

from .kling.products.base import Price

#: how full the bar gets before a result is there: an estimate must not look like an end
PROGRESS_BEFORE_END = 0.95
#: characters of the notes that are shown of a list
ROOM_FOR_NOTES = 500


class Stage(Enum):
    """How far a take has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Line:
    """One take on a board; ``fraction`` of the way is 0..1."""

    text: str = ""
    fraction: float = 0.0
    stage: Stage = Stage.WAITING
    price: Price | None = None
    #: whether it has been decided what the price is, or that none is known
    is_priced: bool = False
    notes: list[str] = field(default_factory=list)

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Say what happens now; ``elapsed`` and ``expected`` in seconds, the latter None where unknown."""
        if expected and expected > 0:
            self.stage = Stage.RUNNING
            self.fraction = min(elapsed / expected, 1.0) * PROGRESS_BEFORE_END
        self.text = f"{text} · {elapsed:.0f} s" + (f" of about {expected:.0f} s" if expected else "")


class Board:
    """The takes of one node, by their place in the list."""

    def __init__(self) -> None:
        """Begin with none."""
        self.lines: dict[int, Line] = {}
        self._notes: list[tuple[int, str]] = []

    @property
    def is_list(self) -> bool:
        """Whether there is more than one."""
        return len(self.lines) > 1

    @property
    def is_over(self) -> bool:
        """Whether every take has come to its end."""
        return all(line.stage in (Stage.DONE, Stage.FAILED) for line in self.lines.values())

    @property
    def fraction(self) -> float:
        """How far all of them have come, 0..1."""
        return sum(line.fraction for line in self.lines.values()) / max(len(self.lines), 1)

    def note(self, place: int, text: str) -> None:
        """Keep a sentence below the line of a take, such as a warning."""
        line = self.lines[place]
        if text and text not in line.notes:
            line.notes.append(text)
            self._notes.append((place, text))

    def text(self, prefix: str = "") -> str:
        """Return everything to show; ``prefix`` stands before each line of a take."""
        if not self.is_list:
            (line,) = self.lines.values()
            return "\n".join([prefix + line.text, *line.notes]) if line.text else ""
        return "\n".join([prefix + self._counts(), *self._sum(), *self._shown_notes()])

    def _shown_notes(self) -> list[str]:
        """Return what several takes say, once, then the newest of the others, as far as there is room."""
        said = Counter(text for _, text in self._notes)
        notes = [text for text, count in said.items() if count > 1]
        notes += [f"{place + 1}: {text}" for place, text in reversed(self._notes) if said[text] == 1]
        ends = accumulate(len(note) for note in notes)
        return [note for note, end in zip(notes, ends, strict=True) if end <= ROOM_FOR_NOTES]

    def _counts(self) -> str:
        counted = Counter(line.stage for line in self.lines.values())
        parts = [
            f"{counted[stage]} {stage.value}" for stage in Stage if stage is not Stage.DONE and counted[stage]
        ]
        return " · ".join([f"{counted[Stage.DONE]} of {len(self.lines)} done", *parts])

    def _sum(self) -> list[str]:
        """Return count x price = sum; the sum alone where prices differ."""
        prices = [line.price for line in self.lines.values()]
        known = [price for price in prices if price is not None]
        if not known:
            return []
        whole = Price(
            round(sum(price.units for price in known), 6), round(sum(price.usd for price in known), 6)
        )
        unknown = len(prices) - len(known)
        more = f", and {unknown} without a known price" if unknown else ""
        if len(set(known)) == 1:
            return [f"{len(known)} x {known[0]} = {whole}{more}. What is collected costs nothing."]
        return [f"Together {whole}{more}. What is collected costs nothing."]
