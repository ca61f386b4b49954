"""When to ask next how a task is getting on. Pure: the time is passed in.

A task is asked for rarely at first, often around the time it is expected to end, and slower again when it is
late. The delay is a share of the distance to the expected end, so the time lost between Kling finishing and
our noticing stays small for short and long tasks alike.
"""

from __future__ import annotations

from dataclasses import dataclass

#: seconds; no task ends so fast that asking more often would help
POLL_FLOOR = 1.0
#: seconds; a task's state shown to the user is never older than this
POLL_CEILING = 15.0
#: seconds that a server's Retry-After is obeyed for at most
RETRY_AFTER_CEILING = 150.0


@dataclass(frozen=True)
class Schedule:
    """When to poll a task that is expected to take ``expected`` seconds."""

    expected: float
    floor: float = POLL_FLOOR
    ceiling: float = POLL_CEILING

    def __post_init__(self) -> None:
        """Refuse a schedule that would spin or never ask."""
        if not 0 < self.floor <= self.ceiling:
            raise ValueError("a schedule needs 0 < floor <= ceiling")

    def delay(self, elapsed: float) -> float:
        """Seconds to wait before the next poll, ``elapsed`` seconds after the task was submitted."""
        distance = abs(self.expected - max(elapsed, 0.0))
        share = distance / 3 if elapsed < self.expected else distance / 8
        return min(max(share, self.floor), self.ceiling)


def expected_seconds(earlier: list[float], typical: float) -> float:
    """How long a task will take: the median of earlier ones like it, else the typical time."""
    known = sorted(seconds for seconds in earlier if seconds > 0)
    if not known:
        return typical
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def backoff(tries: int, *, first: float = 1.0, ceiling: float = 30.0, jitter: float = 0.0) -> float:
    """Seconds to wait after the n-th failure in a row: doubling, capped, plus up to ``jitter`` of itself.

    ``jitter`` is a number in 0..1 that the caller draws, so that this stays pure.
    """
    return min(first * 2.0 ** min(max(tries - 1, 0), 16), ceiling) * (1.0 + 0.5 * jitter)


def obeyed_retry_after(asked: float | None, own: float) -> float:
    """Return the longer of our own delay and the server's Retry-After, within its ceiling."""
    if asked is None or asked != asked or asked < 0:
        return own
    return max(own, min(asked, RETRY_AFTER_CEILING))
