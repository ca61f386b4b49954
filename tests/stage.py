"""A small world for tests of the protocol: a simulated Kling in the test's own loop, and a clock to bend.

Time is virtual: whoever sleeps is woken in the order of his time, after a moment for real I/O. So hours of
polling take milliseconds, and the simulator, the journal and the protocol agree on what time it is.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from kling_takes.apis.client import Timeouts
from kling_takes.apis.context import Policy
from kling_takes.apis.follower import Delivered
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.settings import Settings, load_settings
from kling_takes.apis.studio import Studio
from kling_takes.simulator.server import create_app
from kling_takes.simulator.state import SIMULATOR_KEY, State

TABLE = load_table()
#: noon, so that a test of some hours stays within one day everywhere
NOON = 1_795_348_800.0


class BentClock:
    """A clock that jumps to the next sleeper's time instead of waiting."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.jump = 0.0
        self._sleepers: list[tuple[float, int]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now + self.jump

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


class Listener:
    """Keeps what a user would have seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        if not self.lines or self.lines[-1] != text:
            self.lines.append(text)


#: short enough that a test of a hanging server stays short
FAST = Policy(timeouts=Timeouts(connect=1.0, read=0.25, whole=2.0))


@dataclass
class Stage:
    """One simulated Kling and whoever works on it."""

    url: str
    state: State
    clock: BentClock
    folder: Path
    heard: Listener = field(default_factory=Listener)
    #: closed with the stage
    journals: list[Journal] = field(default_factory=list)

    def settings(self, key: str = SIMULATOR_KEY, **changes: Any) -> Settings:
        environ = {"KLING_API_KEY": key, "KLING_API_BASE": self.url, **changes}
        environ = {name: value for name, value in environ.items() if value is not None}
        return load_settings(environ, self.folder / "user")

    def journal(self, name: str = "journal") -> Journal:
        self.journals.append(Journal(self.folder / f"{name}.sqlite3"))
        return self.journals[-1]

    def studio(
        self,
        journal: Journal | None = None,
        *,
        policy: Policy = FAST,
        settings: Settings | None = None,
    ) -> Studio:
        used = journal or self.journal()
        self.journals.append(used)
        return Studio.open(
            settings or self.settings(),
            TABLE,
            used,
            clock=self.clock,
            policy=policy,
        )

    async def take(
        self, studio: Studio, prompt: str = "a red kite over the sea", take: int = 0, **fields: Any
    ) -> Delivered:
        return await studio.take(
            studio.plan(KlingText2VideoRequest(prompt=prompt, **fields), take),
            files=self.folder / "files",
            reporter=self.heard,
        )

    @property
    def committed(self) -> list[Any]:
        """The tasks that are or will be billed."""
        return self.state.committed()


@asynccontextmanager
async def stage(folder: Path, **knobs: Any) -> AsyncIterator[Stage]:
    """A stage whose simulator listens on loopback until the end of the block."""
    clock = BentClock()
    state = State(**{"render": "tiny", "clock": clock.time, **knobs})
    runner = web.AppRunner(create_app(state), access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        place = Stage(f"http://127.0.0.1:{port}{state.path_prefix}", state, clock, folder)
        try:
            yield place
        finally:
            for journal in place.journals:
                journal.close()
    finally:
        await runner.cleanup()
