"""One reason why a request can't be sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """The widget that has to change, and a sentence for the artist that begins with its name."""

    widget: str
    text: str
