"""Takes that are cancelled: how long that took, what they left behind, and what the next run makes of it.

Time is real here: what is measured is how long ``Studio.take`` needs to end once it is cancelled.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from kling_takes.apis import slots
from kling_takes.apis.context import Policy
from kling_takes.apis.download import part_file
from kling_takes.apis.follower import Delivered
from kling_takes.apis.transport import session
from kling_takes.simulator.render import tiny
from kling_takes.tests.stage import Stage, video

#: seconds in which a cancelled take has to have ended
AT_ONCE = 0.2
#: seconds after which a state that should come has not come
PATIENCE = 15.0
#: seconds that a server hangs: far longer than a test
FOR_EVER = 60.0
LEGAL = ("prepared", "submitted", "succeeded", "delivered")
#: as patient as in earnest, so that nothing but the cancel ends a wait
EARNEST = Policy()
#: looks and polls at once, so that the next run is over soon
QUICK = Policy(lookup_delays=(0.02, 0.05, 0.1), poll_floor=0.02, poll_ceiling=0.05)


def run_of(scene: Stage, policy: Policy = EARNEST, prompt: str = "a red kite") -> Awaitable[Delivered]:
    """A take that is about to run; all of a scene share one journal, as the nodes of one process do."""
    journal = scene.journals[0] if scene.journals else scene.journal()
    return scene.take(scene.studio(journal, policy=policy), prompt)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state of the take."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the state to be cancelled never came"
        await asyncio.sleep(0.005)


def open_sockets() -> int:
    """Sockets that this loop watches, its own to itself among them."""
    selector = getattr(asyncio.get_running_loop(), "_selector", None)
    return len(selector.get_map()) if hasattr(selector, "get_map") else 0


class Cancelled:
    """Takes that are under way, to be cancelled; knows what was there before them."""

    def __init__(self, *takes: Any) -> None:
        self.tasks = asyncio.all_tasks()
        self.sockets = open_sockets()
        self.running = [asyncio.ensure_future(take) for take in takes]

    async def at_once(self) -> None:
        """Cancel all of them, measure, and look for what they left."""
        for run in self.running:
            assert not run.done(), run
        begun = time.monotonic()
        for run in self.running:
            run.cancel()
        await asyncio.wait(self.running, timeout=5 * AT_ONCE)
        took = time.monotonic() - begun
        assert all(run.cancelled() for run in self.running), self.running
        assert took < AT_ONCE, f"the cancel took {took:.2f} s"
        assert asyncio.get_running_loop() not in session._sessions
        for queues in slots._queues.values():
            assert not any(queue.waiting for queue in queues.values())
        # Closed connections leave the loop with its next turns.
        for _ in range(50):
            if asyncio.all_tasks() == self.tasks and open_sockets() <= self.sockets:
                return
            await asyncio.sleep(0.001)
        assert asyncio.all_tasks() == self.tasks
        assert open_sockets() <= self.sockets


async def cancelled_when(scene: Stage, condition: Callable[[], bool], policy: Policy = EARNEST) -> None:
    """Start the take, cancel it in a state, see that it ended at once and left nothing."""
    run = Cancelled(run_of(scene, policy))
    await until(condition)
    await asyncio.sleep(0.05)  # into the waiting itself
    await run.at_once()
    scene.state.faults.clear()


async def assert_collected(scene: Stage, *, creates: int = 1, bought_before: bool = True) -> Delivered:
    """The next run delivers, and one task is billed."""
    delivered = await run_of(scene, QUICK)
    assert len(scene.state.committed()) == 1
    assert delivered.task_id == scene.state.committed()[0].id
    assert delivered.collected is bought_before
    assert video(delivered).read_bytes() == tiny()
    assert scene.state.creates_received == creates
    assert [file.name for file in scene.files.iterdir()] == [video(delivered).name]
    assert not part_file._held
    return delivered


def row_state(scene: Stage) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(scene.folder / "journal.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            return []  # not yet made
        return connection.execute("SELECT state, sends FROM tasks").fetchall()
