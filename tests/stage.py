"""One user with his folder and a simulated Kling, for tests of the protocol.

On ``stage`` time is virtual, and the simulator, the journal and the protocol agree on what time it is.
On ``real_stage`` it is real, and the simulator runs in a thread, so that every task and socket of the test's
loop is the pack's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from aiohttp import web

from kling_takes.apis.client import Timeouts
from kling_takes.apis.clock import RealClock
from kling_takes.apis.context import Policy
from kling_takes.apis.follower import Delivered
from kling_takes.apis.journal import Journal
from kling_takes.apis.journal import file as journal_file
from kling_takes.apis.kling.models import ModelTable
from kling_takes.apis.kling.request import KlingRequest
from kling_takes.apis.settings import Settings, load_settings
from kling_takes.apis.studio import Studio
from kling_takes.simulator.server import SimulatorServer, create_app
from kling_takes.simulator.state import SIMULATOR_COMFY_TOKEN, SIMULATOR_KEY, State
from kling_takes.tests.builders import TABLE, text_request
from kling_takes.tests.virtual_time import LoopClock, OnTheLoop, VirtualClock, VirtualLoop, no_threads

T = TypeVar("T")

#: short enough that a test of a hanging server stays short
FAST = Policy(timeouts=Timeouts(connect=1.0, read=0.25, whole=2.0))


class Listener:
    """Keeps what a user would have seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        if not self.lines or self.lines[-1] != text:
            self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)

    def shown(self, words: str) -> bool:
        return any(words in line for line in self.lines)


class Trigger(Listener):
    """Does something once, in the moment in which the user would read certain words."""

    def __init__(self, words: str, action: Callable[[], object]) -> None:
        super().__init__()
        self._words = words
        self._actions = [action]

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        super().state(text, elapsed, expected)
        if self._actions and self._words in text:
            self._actions.pop()()


@dataclass
class Stage:
    """One simulated Kling and whoever works on it."""

    url: str
    state: State
    clock: Any
    folder: Path
    heard: Listener = field(default_factory=Listener)
    #: closed with the stage
    journals: list[Journal] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def settings(self, key: str | None = SIMULATOR_KEY, **changes: str | None) -> Settings:
        """The user's own key; a variable that is None is not set."""
        environ = {"KLING_API_KEY": key, "KLING_API_BASE": self.url, **changes}
        known = {name: value for name, value in environ.items() if value is not None}
        return load_settings(known, self.folder / "user")

    def comfy_settings(self, token: str = SIMULATOR_COMFY_TOKEN) -> Settings:
        """A Comfy.org account instead of a key."""
        return load_settings({}, self.folder / "user", comfy_token=token, comfy_api_base=self.url)

    def journal(self, name: str = "journal", kind: type[Journal] = Journal) -> Journal:
        self.journals.append(kind(self.folder / f"{name}.sqlite3"))
        return self.journals[-1]

    def studio(
        self,
        journal: Journal | None = None,
        *,
        policy: Policy = FAST,
        settings: Settings | None = None,
        table: ModelTable = TABLE,
    ) -> Studio:
        used = journal or self.journal()
        return Studio.open(settings or self.settings(), table, used, clock=self.clock, policy=policy)

    async def deliver(self, studio: Studio, request: KlingRequest, number: int = 0) -> Delivered:
        plan = studio.plan(request, number)
        return await studio.take(plan, files=self.files, reporter=self.heard, prompt_id="p", node_id="n")

    async def take(
        self, studio: Studio, prompt: str = "a red kite over the sea", take: int = 0, **fields: Any
    ) -> Delivered:
        return await self.deliver(studio, text_request(prompt=prompt, **fields), take)

    async def recover(self, studio: Studio, some_id: str) -> Delivered:
        return await studio.recover(some_id, product=None, files=self.files, reporter=self.heard)

    @property
    def committed(self) -> list[Any]:
        """The tasks that are or will be billed."""
        return self.state.committed()

    def close(self) -> None:
        for journal in self.journals:
            journal.close()


@asynccontextmanager
async def stage(folder: Path, before: Any = None, **knobs: Any) -> AsyncIterator[Stage]:
    """A stage in virtual time, whose simulator listens on loopback until the end of the block.

    ``before``: an aiohttp middleware that stands between the pack and the simulator.
    """
    clock = VirtualClock()
    state = State(**{"render": "tiny", "clock": clock.time, **knobs})
    app = create_app(state)
    if before is not None:
        app.middlewares.append(before)
    async with serving(app) as url:
        place = Stage(url + state.path_prefix, state, clock, folder)
        try:
            yield place
        finally:
            place.close()


def in_virtual_time(folder: Path, story: Callable[[Stage], Coroutine[Any, Any, T]], **knobs: Any) -> T:
    """Tell a story on a stage in whose loop nothing takes time but waiting, so that seconds can be compared.

    On ``stage`` time may jump while a request is on its way; here everything happens on the one loop, threads
    included, and time moves on only when nothing else is left to do.
    """
    loop = VirtualLoop()
    clock = LoopClock(loop)
    state = State(**{"render": "tiny", "clock": clock.time, **knobs})

    async def tell() -> T:
        async with serving(create_app(state)) as url:
            place = Stage(url, state, clock, folder)
            try:
                return await story(place)
            finally:
                place.close()

    with (
        no_threads(),
        mock.patch.object(journal_file, "ThreadPoolExecutor", side_effect=lambda **_: OnTheLoop(loop)),
        contextlib.closing(loop),
    ):
        return loop.run_until_complete(tell())


@contextmanager
def real_stage(folder: Path, **knobs: Any) -> Iterator[Stage]:
    """A stage in real time, whose simulator runs in a thread and makes videos in no time."""
    at_once = {"submitted_seconds": 0.0, "processing_seconds": 0.0, "processing_per_second": 0.0}
    state = State(**{"render": "tiny", **at_once, **knobs})
    with SimulatorServer(state) as server:
        place = Stage(server.url, state, RealClock(), folder)
        try:
            yield place
        finally:
            place.close()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an app in this loop; gives its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def video(delivered: Delivered) -> Path:
    """The one video of a take."""
    (file,) = delivered.files
    assert file.kind == "video"
    return file.path
