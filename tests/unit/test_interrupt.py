"""Cancel is answered at once in every state of a take, leaves nothing behind, and the journal stays true.

Time is real here: what is measured is how long `Studio.take` needs to end once it is cancelled. The simulator
runs in a thread, so that every task and socket of this loop is the take's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import slots
from kling_takes.apis.download import part_file
from kling_takes.apis.follower import Delivered
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.settings import load_settings
from kling_takes.apis.studio import Studio
from kling_takes.apis.transport import session
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.render import tiny
from kling_takes.simulator.server import SimulatorServer
from kling_takes.simulator.state import SIMULATOR_KEY, State
from kling_takes.tests.stage import TABLE

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


class Scene:
    """One user with his folder and his Kling; also what shows him texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sim = State(
            render="tiny", submitted_seconds=0.0, processing_seconds=0.0, processing_per_second=0.0
        )
        self.url = ""
        self.texts: list[str] = []
        self.journal = Journal(folder / "journal.sqlite3")

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        self.texts.append(text)

    def shown(self, words: str) -> Callable[[], bool]:
        return lambda: any(words in text for text in self.texts)

    def studio(self, policy: Policy = EARNEST) -> Studio:
        environ = {"KLING_API_KEY": SIMULATOR_KEY, "KLING_API_BASE": self.url}
        return Studio(load_settings(environ, self.folder / "user"), TABLE, self.journal, policy=policy)

    async def take(self, policy: Policy = EARNEST, prompt: str = "a red kite") -> Delivered:
        request = KlingText2VideoRequest(prompt=prompt)
        return await self.studio(policy).take(
            request, take=0, files=self.folder / "files", reporter=self, prompt_id="p", node_id="n"
        )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    with SimulatorServer(made.sim) as server:
        made.url = server.url
        yield made
        made.journal.close()


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
        for lines in slots._lines.values():
            assert not any(line.waiting for line in lines.values())
        # Closed connections leave the loop with its next turns.
        for _ in range(50):
            if asyncio.all_tasks() == self.tasks and open_sockets() <= self.sockets:
                return
            await asyncio.sleep(0.001)
        assert asyncio.all_tasks() == self.tasks
        assert open_sockets() <= self.sockets


async def cancelled_when(scene: Scene, condition: Callable[[], bool], policy: Policy = EARNEST) -> None:
    """Start the take, cancel it in a state, see that it ended at once and left nothing."""
    run = Cancelled(scene.take(policy))
    await until(condition)
    await asyncio.sleep(0.05)  # into the waiting itself
    await run.at_once()
    scene.sim.faults.clear()


async def assert_collected(scene: Scene, *, creates: int = 1, bought_before: bool = True) -> Delivered:
    """The next run delivers, and one task is billed."""
    delivered = await scene.take(QUICK)
    assert len(scene.sim.committed()) == 1
    assert delivered.task_id == scene.sim.committed()[0].id
    assert delivered.collected is bought_before
    assert delivered.path.read_bytes() == tiny()
    assert scene.sim.creates_received == creates
    assert [file.name for file in (scene.folder / "files").iterdir()] == [delivered.path.name]
    assert not part_file._held
    return delivered


def row_state(scene: Scene) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(scene.folder / "journal.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            return []  # not yet made
        return connection.execute("SELECT state, sends FROM tasks").fetchall()


async def test_waiting_for_a_free_slot(scene: Scene) -> None:
    scene.sim.concurrency_limit = 0
    await cancelled_when(scene, scene.shown("free slot"))
    scene.sim.concurrency_limit = 5
    received = scene.sim.creates_received
    await assert_collected(scene, creates=received + 1, bought_before=False)


async def test_standing_in_line_behind_another_node(scene: Scene) -> None:
    scene.sim.concurrency_limit = 0
    run = Cancelled(*(scene.take(prompt=f"kite {number}") for number in range(3)))
    await until(lambda: scene.sim.creates_received >= 3)
    await asyncio.sleep(0.1)
    await run.at_once()
    assert not scene.sim.tasks


async def test_waiting_for_another_node_with_the_same_take(scene: Scene) -> None:
    scene.sim.processing_seconds = FOR_EVER
    run = Cancelled(scene.take(), scene.take())
    await until(lambda: bool(scene.sim.tasks) and scene.shown("another node")())
    await run.at_once()
    finish_all(scene)
    await assert_collected(scene)


def finish_all(scene: Scene) -> None:
    for task in scene.sim.tasks.values():
        task.due_at = time.time()


async def test_a_name_that_is_looked_up_and_never_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()
    find = socket.getaddrinfo

    def never(*arguments: Any, **named: Any) -> Any:
        asked.set()
        answer.wait(PATIENCE)
        return find(*arguments, **named)

    scene.url = scene.url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        await cancelled_when(scene, asked.is_set)
    finally:
        answer.set()
        monkeypatch.undo()
    assert row_state(scene) == [("prepared", 1)]
    await assert_collected(scene, bought_before=False)


@contextmanager
def nobody_accepts() -> Iterator[int]:
    """A port whose queue of connections is full: another one is neither taken nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(8):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue of connections refuses at once")
async def test_connecting_to_a_port_that_does_not_answer(scene: Scene) -> None:
    practice = scene.url
    with nobody_accepts() as port:
        scene.url = f"http://127.0.0.1:{port}"
        await cancelled_when(scene, scene.shown("Sending"))
    assert row_state(scene) == [("prepared", 1)]
    scene.url = practice
    await assert_collected(scene, bought_before=False)


async def test_connecting_to_a_server_that_never_shakes_hands(scene: Scene) -> None:
    practice = scene.url
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        scene.url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        await cancelled_when(scene, scene.shown("Sending"))
    scene.url = practice
    await assert_collected(scene, bought_before=False)


async def test_a_host_that_is_not_there_between_two_tries(scene: Scene) -> None:
    practice = scene.url
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        scene.url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        await cancelled_when(scene, scene.shown("trying again"))
    scene.url = practice
    await assert_collected(scene, bought_before=False)


async def test_a_create_in_flight(scene: Scene) -> None:
    scene.sim.faults.append(Fault("create", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: bool(scene.sim.tasks))
    assert row_state(scene) == [("prepared", 1)]
    await assert_collected(scene)
    assert scene.sim.lookups == 1


async def test_the_wait_before_a_lookup(scene: Scene) -> None:
    scene.sim.faults.append(Fault("create", "make_then_reset"))
    await cancelled_when(scene, scene.shown("reply was lost"))
    assert scene.sim.lookups == 0
    await assert_collected(scene)


async def test_a_lookup_that_hangs(scene: Scene) -> None:
    scene.sim.faults += [Fault("create", "make_then_reset"), Fault("lookup", "hang", seconds=FOR_EVER)]
    await cancelled_when(scene, lambda: scene.sim.lookups == 1, QUICK)
    assert row_state(scene) == [("prepared", 1)]
    await assert_collected(scene)


async def test_the_lookup_of_a_later_run_that_hangs(scene: Scene) -> None:
    scene.sim.faults.append(Fault("create", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: bool(scene.sim.tasks))
    scene.sim.faults.append(Fault("lookup", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.sim.lookups == 1)
    await assert_collected(scene)


async def test_the_wait_between_two_polls(scene: Scene) -> None:
    scene.sim.processing_seconds = FOR_EVER
    await cancelled_when(scene, lambda: scene.sim.polls == 1)
    assert row_state(scene) == [("submitted", 1)]
    finish_all(scene)
    await assert_collected(scene)


async def test_a_poll_that_hangs(scene: Scene) -> None:
    scene.sim.faults.append(Fault("query", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.sim.polls == 1)
    await assert_collected(scene)


async def test_a_download_that_hangs(scene: Scene) -> None:
    scene.sim.faults.append(Fault("download", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.sim.downloads == 1)
    assert row_state(scene) == [("succeeded", 1)]
    assert not list((scene.folder / "files").iterdir())
    await assert_collected(scene)


async def test_a_download_that_broke_in_the_middle_is_resumed_by_the_next_run(scene: Scene) -> None:
    scene.sim.faults.append(Fault("download", "truncate_download", at=700))
    part = scene.folder / "files"
    await cancelled_when(scene, lambda: any(file.stat().st_size == 700 for file in part.glob("*.part")))
    assert sorted(file.suffixes[-1] for file in part.iterdir()) == [".json", ".part"]
    before = scene.sim.bytes_sent
    await assert_collected(scene)
    assert scene.sim.bytes_sent - before == len(tiny()) - 700


@pytest.mark.parametrize("step", ["_open", "_write", "_finish"])
async def test_a_disk_that_hangs(scene: Scene, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, goes_on = threading.Event(), threading.Event()
    work = getattr(part_file.PartFile, step)

    def slowly(part: Any, *arguments: Any) -> Any:
        hangs.set()
        goes_on.wait(PATIENCE)
        return work(part, *arguments)

    monkeypatch.setattr(part_file.PartFile, step, slowly)
    try:
        await cancelled_when(scene, hangs.is_set)
    finally:
        goes_on.set()
    await until(lambda: not part_file._held)
    monkeypatch.undo()
    await assert_collected(scene)


_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def journal_held(scene: Scene) -> Iterator[None]:
    """Another process holds the journal."""
    path = str(scene.folder / "journal.sqlite3")
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"held"
        yield
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def open_journal(scene: Scene) -> None:
    with closing(scene.journal._checked()):
        pass


async def test_a_journal_that_another_process_holds(scene: Scene) -> None:
    scene.journal.open()
    with journal_held(scene):
        run = Cancelled(scene.take())
        await asyncio.sleep(0.3)
        await run.at_once()
    assert scene.sim.creates_received == 0
    await assert_collected(scene, bought_before=False)


async def test_a_journal_that_another_process_holds_while_it_is_opened(scene: Scene) -> None:
    open_journal(scene)
    with journal_held(scene):
        run = Cancelled(scene.take())
        await asyncio.sleep(0.3)
        await run.at_once()
    await assert_collected(scene, bought_before=False)


async def test_five_nodes_at_a_journal_that_another_process_holds(scene: Scene) -> None:
    scene.journal.open()
    with journal_held(scene):
        run = Cancelled(*(scene.take(prompt=f"kite {number}") for number in range(5)))
        await asyncio.sleep(0.3)
        await run.at_once()
    assert scene.sim.creates_received == 0


async def test_a_paid_id_that_waits_for_a_journal_in_use_is_written_down_after_all(scene: Scene) -> None:
    scene.sim.faults.append(Fault("create", "hang", seconds=0.5))
    run = Cancelled(scene.take())
    await until(lambda: bool(scene.sim.tasks))
    with journal_held(scene):
        await asyncio.sleep(1.0)  # the reply has come, and its row can't be written
        await run.at_once()
    await assert_collected(scene)
    assert scene.sim.lookups == 0


async def test_cancel_at_the_first_moment(scene: Scene) -> None:
    run = Cancelled(scene.take())
    await asyncio.sleep(0)
    await run.at_once()
    await assert_collected(scene, bought_before=False)


async def test_a_take_cancelled_again_and_again_is_paid_once(scene: Scene) -> None:
    """Each run gets a little further than the one before; whichever it was that bought, one did."""
    for step in range(40):
        run = asyncio.ensure_future(scene.take(QUICK))
        await asyncio.wait({run}, timeout=0.002 * step)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        assert all(state in LEGAL for state, _ in row_state(scene))
    delivered = await scene.take(QUICK)
    assert len(scene.sim.committed()) == 1
    assert delivered.path.read_bytes() == tiny()
