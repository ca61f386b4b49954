"""Waiting for a free slot of the Kling account, in order.

Kling lets an account run a few tasks at once and answers 1303 beyond that. Nodes that were told so stand in a
line: the first one tries again after a growing, jittered pause, or at once when a task of ours has ended. A
node that comes later goes behind them, so that every node gets its turn.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SlotQueue:
    """The queue of creates that wait for one account and model, in one event loop."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: deque[asyncio.Event] = deque()
        self._freed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Stand in the queue until it is our turn, and keep the turn until the end of the block."""
        place = asyncio.Event()
        self._waiting.append(place)
        self._call_first()
        try:
            await place.wait()
            yield
        finally:
            self._waiting.remove(place)
            self._call_first()

    def _call_first(self) -> None:
        if self._waiting:
            self._waiting[0].set()

    def freed(self) -> None:
        """A task of ours has ended, so a slot is probably free: the first in the queue tries at once."""
        self._freed.set()

    async def pause(self, seconds: float, sleep: Callable[[float], Coroutine[Any, Any, None]]) -> None:
        """Wait ``seconds``, or until a task of ours ends; one that ended just before counts too."""
        sleeper = asyncio.ensure_future(sleep(seconds))
        waker = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
            self._freed.clear()
        finally:
            # Awaiting the two one by one would take a cancel of ours for one of theirs, and lose it.
            for task in (sleeper, waker):
                task.cancel()
            await asyncio.wait({sleeper, waker})


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], SlotQueue]] = (
    weakref.WeakKeyDictionary()
)
_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = (
    weakref.WeakKeyDictionary()
)


def _of_this_loop(kept: MutableMapping[asyncio.AbstractEventLoop, dict[K, V]]) -> dict[K, V]:
    """Return what is kept for the running loop; what was kept for loops that have ended is forgotten.

    A lock that was waited for holds its loop, so the weak keys alone would keep both for ever.
    """
    for loop in [loop for loop in kept if loop.is_closed()]:
        del kept[loop]
    return kept.setdefault(asyncio.get_running_loop(), {})


def slot_queue(account: str, model: str) -> SlotQueue:
    """Return the running loop's queue for an account and a model: Kling counts slots by both."""
    return _of_this_loop(_queues).setdefault((account, model), SlotQueue())


def take_lock(account: str, take: str) -> asyncio.Lock:
    """Return the running loop's lock of a take: of two nodes with one take the second waits."""
    return _of_this_loop(_locks).setdefault(f"{account}/{take}", asyncio.Lock())
