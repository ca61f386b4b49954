"""An event loop whose time jumps: real sockets, and no waiting.

When nothing is ready, the loop moves its own time on to the next timer instead of sleeping. So the pack's
real timeouts (a minute without an answer, an hour of polling) cost microseconds, and the order of events
depends on nothing but the program. Work that would go to a thread is done on the loop, at once or some turns
later.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import selectors
import time
from collections.abc import Callable
from typing import Any

#: looks at the sockets before the loop calls it silence: bytes on loopback arrive at once, or almost
LOOKS = 3
#: seconds of real time without any event and without any timer after which a test is stuck for good
STUCK = 20.0


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type] # the platform's best class
    """Selects without waiting; silence moves the owner's time."""

    loop: BentLoop

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


class BentLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own; ``late`` is by how many turns work for a thread is put off."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        self.set_default_executor(OnTheLoop(self))

    def time(self) -> float:
        return self.now


class OnTheLoop(concurrent.futures.ThreadPoolExecutor):
    """Does the work of a thread on the loop, in the order in which it came."""

    def __init__(self, loop: BentLoop, late: int = 0) -> None:
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


def after_turns(loop: asyncio.AbstractEventLoop, turns: int, work: Callable[[], object]) -> None:
    """Call ``work`` after so many turns of the loop; 0 is now."""
    if turns <= 0:
        work()
    else:
        loop.call_soon(after_turns, loop, turns - 1, work)
