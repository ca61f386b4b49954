"""Time, handed to whoever waits or writes it down, so that a test can run an hour in a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests can bend it."""

    def time(self) -> float:
        """Wall clock, Unix seconds: for records."""

    def monotonic(self) -> float:
        """Seconds that never jump: for deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class RealClock:
    """The computer's own time."""

    def time(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)
