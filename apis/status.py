"""What the user sees while a take is on its way: one line of text, how long, how much longer."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .clock import Clock

#: seconds between two refreshes of the elapsed time
TICK = 1.0


class Reporter(Protocol):
    """Who shows it: a node, a test, a terminal."""

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Show ``text``; ``elapsed`` and ``expected`` seconds of the whole task, None where unknown."""

    def warn(self, text: str) -> None:
        """Show ``text`` before anything else happens, among however many takes, and keep it readable."""


class Status:
    """The line being shown; it is repeated every second so that the elapsed time moves."""

    def __init__(self, reporter: Reporter, clock: Clock) -> None:
        """Nothing is shown yet."""
        self._reporter = reporter
        self._clock = clock
        self._text = ""
        self._since = clock.monotonic()
        self._expected: float | None = None

    def show(self, text: str) -> None:
        """Change the text and show it now."""
        self._text = text
        self.refresh()

    def warn(self, text: str) -> None:
        """Show what the user must have been told before the run goes on, or is cut off."""
        self.show(text)
        self._reporter.warn(text)

    def show_soon(self, text: str) -> None:
        """Change a text that changes many times a second; it is shown with the next refresh."""
        self._text = text

    def expect(self, elapsed: float, expected: float) -> None:
        """The task was submitted ``elapsed`` seconds ago and will take about ``expected`` seconds."""
        self._since = self._clock.monotonic() - elapsed
        self._expected = expected

    def refresh(self) -> None:
        """Show the present text with the present elapsed time."""
        if self._text:
            elapsed = self._clock.monotonic() - self._since
            self._reporter.state(self._text, elapsed, self._expected)

    async def tick(self) -> None:
        """Refresh once a second, for ever."""
        while True:
            await asyncio.sleep(TICK)
            self.refresh()
