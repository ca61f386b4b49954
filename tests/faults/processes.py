"""A ComfyUI process that can die, its journal, and a run that can be cut off anywhere."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from kling_takes.apis.context import Policy
from kling_takes.apis.journal import Journal
from kling_takes.apis.studio import Studio
from kling_takes.tests.builders import TABLE
from kling_takes.tests.faults.scenario import HOME, Cut, Killed
from kling_takes.tests.virtual_time import OnTheLoop, after_turns

if TYPE_CHECKING:
    from kling_takes.tests.faults.world import World

#: as patient as in earnest, only asking less often: a poll is real work, a wait is not
POLICY = Policy(poll_floor=4.0)
#: journal methods that commit
COMMITS = frozenset(
    {"prepare", "submitted", "started", "succeeded", "delivered", "refused", "in_doubt", "failed"}
)

#: the process for which the running code works; the simulator works for none
working_for: contextvars.ContextVar[Process | None] = contextvars.ContextVar("working_for", default=None)


#: who watches the node that runs
watching: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar("watching", default=None)


class Watcher:
    """Somebody who watches a node and remembers whether it spoke of a purchase in doubt."""

    def __init__(self, world: World) -> None:
        self.told = False
        self._world = world

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Read what the node shows; what must be told is a warning."""
        self._world.read(text)

    def warn(self, text: str) -> None:
        """Read what the node warns of."""
        self._world.read(text)
        self.told |= "may or may not have bought it" in text


class Process:
    """One ComfyUI process: what it has in memory, until it dies."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.died_at = 0.0
        self.tasks: set[asyncio.Task[Any]] = set()
        #: all tasks that were begun by its runs
        self.steps: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.worker = OnTheLoop(world.rig.loop, world.late)
        self.journal = MortalJournal(self)
        self.open()

    def open(self) -> None:
        """Read the settings as they are now, as each run does."""
        clock = self.world.clocks[HOME[self.name]]
        self.studio = Studio.open(
            self.world.settings(self.name), TABLE, self.journal, clock=clock, policy=POLICY
        )

    @property
    def has_journal_open(self) -> bool:
        """Whether it holds the file, and not only its name."""
        return not self.dead and self.journal._connection is not None

    def die(self) -> None:
        """Everything in memory is gone; the file stays as it was last committed."""
        self.dead = True
        self.died_at = self.world.rig.loop.now
        self.worker.abandoned = True
        current = asyncio.current_task()
        # With every step that runs beside: a dead process does not take another turn.
        for task in [*self.tasks, *self.steps]:
            if task is not current:
                task.cancel()


class MortalJournal(Journal):
    """The real journal, at whose commits its process can be killed."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.world.journal_path(process.name))
        self.process = process
        self._worker = process.worker

    async def call(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.process.dead:
            # What a cancelled step tidies up in the moment of death never happens in a real one.
            if self.process.world.rig.loop.now > self.process.died_at:
                self.process.world.note(f"a killed process went on to {work.__name__}")
            raise Killed
        run = Run.current()
        fatal = work.__name__ in COMMITS and run is not None and run.commit_is_fatal()
        if fatal and run is not None and run.cut is not None and run.cut.before:
            self._end(work, "before")
        result = await super().call(work, *arguments, **named)
        if fatal:
            self._end(work, "after")
        return result

    def _end(self, work: Callable[..., Any], when: str) -> None:
        self.process.world.rig.counts[f"kill {when} the commit of {work.__name__}"] += 1
        self.process.die()
        raise Killed


class Run:
    """A run that counts its own awaits and commits, so that a cut can strike at any one of them."""

    _current: contextvars.ContextVar[Run | None] = contextvars.ContextVar("run", default=None)

    def __init__(self, world: World, coroutine: Coroutine[Any, Any, Any], cut: Cut | None) -> None:
        self.world = world
        self.coroutine = coroutine
        self.cut = cut
        self.awaits = 0
        self.commits = 0
        self.struck_at: float | None = None
        self.task: asyncio.Task[Any] | None = None

    @classmethod
    def current(cls) -> Run | None:
        return cls._current.get()

    def commit_is_fatal(self) -> bool:
        self.commits += 1
        return self.cut is not None and self.cut.kind == "kill" and self.commits == self.cut.number

    async def run(self) -> Any:
        self._current.set(self)
        self.task = asyncio.current_task()
        loop = self.world.rig.loop
        timer = None
        if self.cut is not None and self.cut.kind == "cancel_at":
            timer = loop.call_later(self.cut.seconds, self.strike)
        try:
            return await self
        finally:
            if timer is not None:
                timer.cancel()

    def strike(self) -> None:
        """Cancel the run, as an interrupt or another node's failure does."""
        if self.task is not None and not self.task.done():
            self.struck_at = self.world.rig.loop.now
            self.task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.coroutine.__await__()
        resume: Callable[[], Any] = inner.__next__
        while True:
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value
            self.awaits += 1
            if self.cut is not None and self.cut.kind == "cancel" and self.awaits == self.cut.number:
                after_turns(self.world.rig.loop, self.cut.turns, self.strike)
            try:
                yield awaited
                resume = inner.__next__
            except BaseException as error:  # noqa: BLE001 - passed on to the run as it is
                resume = _throwing(inner, error)


def _throwing(inner: Any, error: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(error)


def texts_of(error: BaseException | None) -> list[str]:
    """Return all that an error and those behind it say."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), str(vars(error))]
        error = error.__cause__ or error.__context__
    return texts


async def awaited(work: Awaitable[Any]) -> Any:
    """Wait for anything that can be waited for."""
    return await work
