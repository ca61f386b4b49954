"""The line in which creates wait for a free slot of the Kling account.

Kling lets an account run a few tasks of a model at once and answers 1303 beyond that. Every create takes
its turn in one line, one after the other, from the first on: a list of 200 does not send 200 creates at
once. How many slots there are is learned: from the account's packs where somebody has asked, and from 1303,
which says that there are no more than we hold. When a task of ours ends, the first in line goes at once;
when none does, it tries all the same after a while, because somebody else's task may have ended.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from .polling import backoff

K = TypeVar("K")
V = TypeVar("V")
Sleep = Callable[[float], Coroutine[Any, Any, None]]

#: How many in line get ready to send: the first, and one to follow it. Each holds its packed pictures.
NEAR = 2
#: seconds after which the first in line tries although all slots that we know of are taken; doubles each time
PROBE_AFTER = 15.0
PROBE_CEILING = 60.0


class Slot:
    """A slot that a task of ours holds from its create until its end."""

    def __init__(self, queue: SlotQueue) -> None:
        """Take it."""
        self._queue: SlotQueue | None = queue
        queue.took()

    def free(self) -> None:
        """Give it back, once: the task has ended, so the first in line goes at once."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.gave_back()


class SlotQueue:
    """The line of one account and model, in one event loop."""

    def __init__(self, limit: int | None = None) -> None:
        """Begin with nobody in line; ``limit`` is the number of slots, None where it is not known."""
        self.limit = limit
        self.running = 0
        self._places: deque[Place] = deque()
        self._freed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._places)

    @property
    def is_full(self) -> bool:
        """Whether all slots that we know of are taken by tasks of ours."""
        return self.limit is not None and self.running >= self.limit

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Stand in line, at its end, and leave with the block."""
        place = Place(self)
        self.join(place)
        try:
            yield place
        finally:
            place.leave()

    def join(self, place: Place, *, first: bool = False) -> None:
        """Put a place at the end of the line, or at its head."""
        if first:
            self._places.appendleft(place)
        else:
            self._places.append(place)
        self._call()

    def leave(self, place: Place) -> None:
        """Take a place out of the line."""
        if place in self._places:
            self._places.remove(place)
            self._call()

    def among_the_first(self, place: Place, count: int) -> bool:
        """Return whether a place is one of the first ``count``."""
        return any(other is place for other in itertools.islice(self._places, count))

    def took(self) -> None:
        """A task of ours holds a slot now. One more than there should be: how many there are is not known."""
        self.running += 1
        if self.limit is not None and self.running > self.limit:
            self.limit = None

    def gave_back(self) -> None:
        """A task of ours has ended."""
        self.running -= 1
        self._freed.set()
        self._call()

    def refused(self) -> None:
        """Kling has no slot for one more: there are no more than we hold, and others may hold the rest."""
        self.limit = max(self.running, 1)

    def patience(self, refusals: int) -> float:
        """Return the seconds after which the first in line tries, though no task of ours has ended."""
        if self.running == 0:
            return backoff(refusals) if refusals else 0.0
        return min(PROBE_AFTER * 2.0 ** max(refusals - 1, 0), PROBE_CEILING)

    def sends(self) -> None:
        """A create leaves now: a task that ends from here on is news for whoever is refused."""
        self._freed.clear()

    async def a_slot(self, seconds: float, sleep: Sleep, *, since_refused: bool) -> None:
        """Wait ``seconds``, or until a task of ours ends; one that ended since a refusal counts."""
        if not since_refused:
            self._freed.clear()
        sleeper = asyncio.ensure_future(sleep(seconds))
        waker = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Awaiting the two one by one would take a cancel of ours for one of theirs, and lose it.
            for task in (sleeper, waker):
                task.cancel()
            await asyncio.wait({sleeper, waker})

    def _call(self) -> None:
        for place in itertools.islice(self._places, NEAR):
            place.called.set()


class Place:
    """A place in a line."""

    def __init__(self, queue: SlotQueue) -> None:
        """Belong to a line; ``SlotQueue.place`` joins it."""
        self._queue = queue
        self.called = asyncio.Event()

    async def near(self) -> None:
        """Wait until the turn is near: time to get ready, and not earlier, because what is ready is large."""
        await self._among_the_first(NEAR)

    async def turn(self, sleep: Sleep, *, refusals: int = 0, asked: float = 0.0) -> None:
        """Wait for the turn, and until a slot is probably free; the turn is kept until ``leave``.

        ``refusals``: how often Kling had none for this create; ``asked``: seconds that it asked to wait.
        """
        await self._among_the_first(1)
        if refusals or self._queue.is_full:
            await self._queue.a_slot(
                max(asked, self._queue.patience(refusals)), sleep, since_refused=refusals > 0
            )
        self._queue.sends()

    def leave(self) -> None:
        """Let the next one go."""
        self._queue.leave(self)

    async def _among_the_first(self, count: int) -> None:
        if not self._queue.among_the_first(self, self._queue.waiting):
            # It was given up for a while: who comes back has waited already.
            self._queue.join(self, first=True)
        while not self._queue.among_the_first(self, count):
            self.called.clear()
            await self.called.wait()


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], SlotQueue]] = (
    weakref.WeakKeyDictionary()
)
_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = (
    weakref.WeakKeyDictionary()
)
#: how many tasks each account runs at once, as its packs say
_known: dict[str, int] = {}


def _of_this_loop(kept: MutableMapping[asyncio.AbstractEventLoop, dict[K, V]]) -> dict[K, V]:
    """Return what is kept for the running loop; what was kept for loops that have ended is forgotten.

    A lock that was waited for holds its loop, so the weak keys alone would keep both for ever.
    """
    for loop in [loop for loop in kept if loop.is_closed()]:
        del kept[loop]
    return kept.setdefault(asyncio.get_running_loop(), {})


def slot_queue(account: str, model: str) -> SlotQueue:
    """Return the running loop's line for an account and a model: Kling counts slots by both."""
    queues = _of_this_loop(_queues)
    if (account, model) not in queues:
        queues[account, model] = SlotQueue(_known.get(account))
    return queues[account, model]


def account_runs(account: str, at_once: int) -> None:
    """Note how many tasks an account runs at once, for the lines that begin after this."""
    _known[account] = at_once


def take_lock(account: str, take: str) -> asyncio.Lock:
    """Return the running loop's lock of a take: of two nodes with one take the second waits."""
    return _of_this_loop(_locks).setdefault(f"{account}/{take}", asyncio.Lock())
