"""The line in which creates wait for a free slot of the Kling account.

Kling lets an account run a few tasks of a model at once and answers 1303 beyond that. Every create takes
its turn in one line, one after the other, from the first on: a list of 200 does not send 200 creates at
once. How many slots there are is learned: from the account's packs where somebody has asked, and from 1303,
which says that there are no more than we hold. When a task of ours ends, the first in line goes at once;
when none does, it tries all the same after a while, because somebody else's task may have ended.

The invariants: at most one create of a line is on its way. At most NEAR places are near their turn, those
that look a lost create up among them, so no more pictures than that are packed. The order is that of
arrival, also for a place that was given up for a while.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from bisect import insort
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from .clock import Clock
from .polling import backoff

K = TypeVar("K")
V = TypeVar("V")

#: How many in line get ready to send: the first, and one to follow it. Each holds its packed pictures.
NEAR = 2
#: seconds after which the first in line tries although all slots that we know of are taken; doubles each time
PROBE_AFTER = 15.0
PROBE_CEILING = 60.0
#: seconds between two tries at most, where all slots are taken and none by us
ALONE_CEILING = 30.0


@dataclass(frozen=True)
class Pause:
    """How long to wait for a slot: ``least`` seconds, then until a task of ours ends, ``whole`` at most."""

    least: float
    whole: float


class SlotQueue:
    """The line of one account and model, in one event loop."""

    def __init__(self, limit: int | None = None) -> None:
        """Begin with nobody in line; ``limit`` is the number of slots, None where it is not known."""
        self.limit = limit
        #: tasks of ours that run, and how many have ended
        self.running = 0
        self.ended = 0
        #: how often Kling had none since a create showed that there was one more than we knew
        self._refusals = 0
        #: when a create was last sent beyond what we knew
        self._tried_at: float | None = None
        #: all in the order of arrival; the first few have moved from the one list to the other
        self._waiting: list[Place] = []
        self._near: list[Place] = []
        #: whose create is on its way
        self._sender: Place | None = None
        self._arrivals = itertools.count()
        self._wakers: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting) + len(self._near)

    @property
    def is_full(self) -> bool:
        """Whether all slots that we know of are taken by tasks of ours."""
        return self.limit is not None and self.running >= self.limit

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Stand at the end of the line; leave it, and let go of the slot, with the block."""
        place = Place(self, next(self._arrivals))
        self.enter(place)
        try:
            yield place
        finally:
            place.leave()
            place.slot.free()

    def enter(self, place: Place) -> None:
        """Let a place stand in line, by its arrival: who comes back does not begin at the end."""
        if place not in self._near and place not in self._waiting:
            insort(self._waiting, place, key=_arrival)
            self._move()

    def leave(self, place: Place) -> None:
        """Take a place out of the line."""
        for line in (self._waiting, self._near):
            if place in line:
                line.remove(place)
        self.give_up_turn(place)

    def is_near(self, place: Place) -> bool:
        """Return whether a place may get ready."""
        return place in self._near

    def may_send(self, place: Place) -> bool:
        """Return whether it is a place's turn."""
        return self._sender is None and self._first() is place

    def sends(self, place: Place) -> None:
        """A create leaves now; nobody else's does until the turn is given up."""
        self._sender = place

    def give_up_turn(self, place: Place) -> None:
        """Let the next one go."""
        if self._sender is place:
            self._sender = None
        self._move()

    def took(self, *, accepted: bool) -> None:
        """A task of ours holds a slot now.

        A create that was ``accepted`` beyond the limit shows that there are more, and not how many.
        """
        self.running += 1
        if accepted and (self.limit is None or self.running > self.limit):
            self.limit, self._refusals, self._tried_at = None, 0, None

    def gave_back(self) -> None:
        """A task of ours has ended."""
        self.running -= 1
        self.ended += 1
        for waker in self._wakers:
            if not waker.done():
                waker.set_result(None)

    def refused(self, now: float) -> None:
        """Kling has no slot for one more: there are no more than we hold, and others may hold the rest."""
        self.limit = self.running
        self._refusals += 1
        self._tried_at = now

    def patience(self, now: float) -> float:
        """Return the seconds after which the first in line tries one more than there should be.

        They count from the last such try. Counted anew from each task of ours that ends, they would never be
        over where tasks are short, and slots that others have left would stay empty.
        """
        if self._tried_at is None:
            self._tried_at = now
        first, ceiling = (PROBE_AFTER, PROBE_CEILING) if self.running else (1.0, ALONE_CEILING)
        return max(0.0, self._tried_at + backoff(self._refusals, first=first, ceiling=ceiling) - now)

    async def a_slot(self, pause: Pause, clock: Clock, ended: int) -> None:
        """Wait for the pause, or until more than ``ended`` tasks of ours have come to their end."""
        if pause.least > 0:
            await clock.sleep(pause.least)
        if pause.whole <= pause.least or self.ended > ended:
            return
        sleeper = asyncio.ensure_future(clock.sleep(pause.whole - pause.least))
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wakers.add(waker)
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wakers.discard(waker)
            sleeper.cancel()
            # Awaiting the sleeper itself would take a cancel of ours for one of it, and lose ours.
            await asyncio.wait({sleeper})

    def _first(self) -> Place | None:
        return next((place for place in self._near if not place.is_aside), None)

    def _move(self) -> None:
        """Call whoever may go on now."""
        while self._waiting and len(self._near) < NEAR:
            place = self._waiting.pop(0)
            insort(self._near, place, key=_arrival)
            place.called.set()
        first = self._first()
        if first is not None and self._sender is None:
            first.called.set()


class Place:
    """A place in a line, and the slot that it is for."""

    def __init__(self, queue: SlotQueue, arrival: int) -> None:
        """Belong to a line; ``SlotQueue.place`` lets it stand there."""
        self.queue = queue
        self.arrival = arrival
        self.slot = Slot(queue)
        self.called = asyncio.Event()
        #: whether it looks for a lost create, and lets the others go meanwhile
        self.is_aside = False
        #: how many tasks of ours had ended when its create left
        self._ended = 0

    @property
    def is_near(self) -> bool:
        """Whether its turn is near."""
        return self.queue.is_near(self)

    @property
    def is_next(self) -> bool:
        """Whether it may send now, if there is a slot."""
        return self.queue.may_send(self)

    async def near(self) -> None:
        """Wait until the turn is near: time to get ready, and not earlier, because what is ready is large."""
        self.queue.enter(self)
        await self._until(lambda: self.is_near)

    async def turn(self, clock: Clock, pause: Pause | None = None) -> None:
        """Wait for the turn, and until a slot is probably free; the turn is kept until it is given up.

        ``pause``: how long to wait after the last create was refused.
        """
        queue = self.queue
        self.is_aside = False
        queue.give_up_turn(self)
        await self.near()
        await self._until(lambda: self.is_next)
        if pause is not None:
            await queue.a_slot(pause, clock, self._ended)
        elif queue.is_full:
            await queue.a_slot(Pause(0.0, queue.patience(clock.monotonic())), clock, queue.ended)
        # Somebody who stood aside may have come back meanwhile.
        await self._until(lambda: self.is_next)
        self._ended = queue.ended
        queue.sends(self)

    def step_aside(self) -> None:
        """Let the next one go while a lost create is looked for; ``turn`` comes back to the place."""
        self.is_aside = True
        self.queue.give_up_turn(self)

    def leave(self) -> None:
        """Let the next one go, for good: what was ready has been sent or thrown away."""
        self.is_aside = False
        self.queue.leave(self)

    async def _until(self, may_go: Callable[[], bool]) -> None:
        while not may_go():
            self.called.clear()
            await self.called.wait()


class Slot:
    """What a task of ours takes of the account while it runs: taken once and given back once."""

    def __init__(self, queue: SlotQueue) -> None:
        """Belong to a line; nothing is taken yet."""
        self._queue = queue
        self._is_held: bool | None = None

    def take(self, *, accepted: bool = False) -> None:
        """The task runs; ``accepted`` where Kling has taken its create just now."""
        if self._is_held is None:
            self._is_held = True
            self._queue.took(accepted=accepted)

    def free(self) -> None:
        """The task has ended, or nobody waits for it any more."""
        if self._is_held:
            self._queue.gave_back()
        self._is_held = False


class TakeLock(asyncio.Lock):
    """The lock of a take: of two nodes with one take the second waits."""

    def __init__(self) -> None:
        """Begin unlocked."""
        super().__init__()
        self._comers = 0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody holds it or is about to: it is unlocked while it goes from one to the next."""
        return self.locked() or self._comers > 0

    async def acquire(self) -> Literal[True]:
        """Wait for it."""
        self._comers += 1
        try:
            return await super().acquire()
        finally:
            self._comers -= 1


def _arrival(place: Place) -> int:
    return place.arrival


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], SlotQueue]] = (
    weakref.WeakKeyDictionary()
)
_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, TakeLock]] = (
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


def take_lock(account: str, take: str) -> TakeLock:
    """Return the running loop's lock of a take."""
    return _of_this_loop(_locks).setdefault(f"{account}/{take}", TakeLock())
