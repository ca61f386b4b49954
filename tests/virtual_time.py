"""Time that jumps instead of passing: real sockets, and no waiting.

``VirtualClock`` is for whoever is handed a clock: it jumps to the time of the next sleeper, in any loop.
``VirtualLoop`` bends what nobody hands over as well. When nothing is ready, it moves its own time on to the
next timer instead of sleeping, so the pack's real timeouts (a minute without an answer, an hour of polling)
cost microseconds, and the order of events depends on nothing but the program. Work that would go to a thread
is done on the loop, at once or some turns later. ``LoopClock`` is the clock of such a loop.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import heapq
import itertools
import selectors
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

from kling_takes.apis.transport import threads

#: Unix seconds of a noon, so that a test of some hours stays within one day everywhere
NOON = 1_795_348_800.0


class VirtualClock:
    """A clock that jumps to the next sleeper's time; whoever sleeps is woken in the order of his time.

    Before each jump there is a moment for real I/O.
    """

    def __init__(self) -> None:
        self.now = NOON
        self._sleepers: list[tuple[float, int]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        mine = (self.now + max(seconds, 0.0), next(self._order))
        heapq.heappush(self._sleepers, mine)
        try:
            while True:
                await asyncio.sleep(0.0005)
                if self._sleepers[0] == mine:
                    break
            self.now = max(self.now, mine[0])
        finally:
            self._sleepers.remove(mine)
            heapq.heapify(self._sleepers)


#: looks at the sockets before the loop calls it silence: bytes on loopback arrive at once, or almost
LOOKS = 3
#: seconds of real time without any event and without any timer after which a test is stuck for good
STUCK = 20.0


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type] # the platform's best class
    """Selects without waiting; silence moves the owner's time."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            events = super().select(STUCK)
            if not events:
                raise RuntimeError("the loop waits for something that can't come")
            return events
        for _ in range(LOOKS if timeout > 0 else 1):
            events = super().select(0)
            if events or timeout <= 0:
                return events
            time.sleep(0)  # lets the system deliver, where it does that in a thread of its own
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        self.set_default_executor(OnTheLoop(self))

    def time(self) -> float:
        return self.now


class LoopClock:
    """The time of a loop since this clock was made; ``jump`` is by how much its wall time is wrong."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.jump = 0.0
        self._loop = loop
        self._began = loop.now

    def time(self) -> float:
        return NOON + self._loop.now - self._began + self.jump

    def monotonic(self) -> float:
        return self._loop.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class OnTheLoop(concurrent.futures.ThreadPoolExecutor):
    """Does the work of a thread on the loop, in the order in which it came, ``late`` turns after that."""

    def __init__(self, loop: VirtualLoop, late: int = 0) -> None:
        super().__init__(max_workers=1)
        self._loop_of = loop
        self._late = late
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self.abandoned = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - handed to whoever waits for the job
                future.set_exception(error)

        if not self._late:
            job()
            return future
        self._jobs.append(job)
        after_turns(self._loop_of, self._late, self._next)
        return future

    def _next(self) -> None:
        # A killed process does nothing more: what it had not yet done is not done.
        if self._jobs and not self.abandoned:
            self._jobs.popleft()()

    def finish(self) -> None:
        """Do at once what is still to do."""
        while self._jobs:
            self._jobs.popleft()()


class _AtOnce:
    """Stands for a thread: what it is to do is done when it starts."""

    def __init__(self, target: Callable[[], None], **_: Any) -> None:
        self.start = target


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """Within the block the pack's own threads do their work on the loop."""
    with mock.patch.object(threads, "threading", SimpleNamespace(Thread=_AtOnce)):
        yield


def after_turns(loop: asyncio.AbstractEventLoop, turns: int, work: Callable[[], object]) -> None:
    """Call ``work`` after so many turns of the loop; 0 is now."""
    if turns <= 0:
        work()
    else:
        loop.call_soon(after_turns, loop, turns - 1, work)
