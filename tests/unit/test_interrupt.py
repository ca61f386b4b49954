"""Cancel is answered at once in every state of a take, leaves nothing behind, and the journal stays true."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis.client import within
from kling_takes.apis.download import part_file
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.render import tiny
from kling_takes.simulator.server import SimulatorServer
from kling_takes.tests.cancelling import (
    FOR_EVER,
    LEGAL,
    PATIENCE,
    QUICK,
    Cancelled,
    assert_collected,
    cancelled_when,
    row_state,
    run_of,
    until,
)
from kling_takes.tests.stage import Stage, real_stage, video


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with real_stage(tmp_path) as made:
        yield made


async def test_waiting_for_a_free_slot(scene: Stage) -> None:
    scene.state.concurrency_limit = 0
    await cancelled_when(scene, lambda: scene.heard.shown("free slot"))
    # What was refused made nothing, so there is no doubt to look up.
    assert row_state(scene) == [("refused", 1)]
    scene.state.concurrency_limit = 5
    received = scene.state.creates_received
    await assert_collected(scene, creates=received + 1, bought_before=False)


async def test_standing_in_the_queue_behind_another_node(scene: Stage) -> None:
    scene.state.concurrency_limit = 0
    run = Cancelled(*(run_of(scene, prompt=f"kite {number}") for number in range(3)))
    await until(lambda: scene.state.creates_received >= 3)
    await asyncio.sleep(0.1)
    await run.at_once()
    assert not scene.state.tasks


async def test_waiting_for_another_node_with_the_same_take(scene: Stage) -> None:
    scene.state.processing_seconds = FOR_EVER
    run = Cancelled(run_of(scene), run_of(scene))
    await until(lambda: bool(scene.state.tasks) and scene.heard.shown("another node"))
    await run.at_once()
    finish_all(scene)
    await assert_collected(scene)


def finish_all(scene: Stage) -> None:
    for task in scene.state.tasks.values():
        task.due_at = time.time()


async def test_a_name_that_is_looked_up_and_never_found(
    scene: Stage, monkeypatch: pytest.MonkeyPatch
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


async def assert_bought_at(scene: Stage, port: int) -> None:
    """Kling answers at the same address at last, and the next run buys the take there."""
    with SimulatorServer(scene.state, port=port) as server:
        scene.url = server.url
        await assert_collected(scene, bought_before=False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue of connections refuses at once")
async def test_connecting_to_a_port_that_does_not_answer(scene: Stage) -> None:
    with nobody_accepts() as port:
        scene.url = f"http://127.0.0.1:{port}"
        await cancelled_when(scene, lambda: scene.heard.shown("Sending"))
    assert row_state(scene) == [("prepared", 1)]
    await assert_bought_at(scene, port)


async def test_connecting_to_a_server_that_never_shakes_hands(scene: Stage) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        port = listener.getsockname()[1]
        scene.url = f"https://127.0.0.1:{port}"
        await cancelled_when(scene, lambda: scene.heard.shown("Sending"))
    await assert_bought_at(scene, port)


async def test_a_host_that_is_not_there_between_two_tries(scene: Stage) -> None:
    practice = scene.url
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        scene.url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        await cancelled_when(scene, lambda: scene.heard.shown("trying again"))
    scene.url = practice
    await assert_collected(scene, bought_before=False)


async def test_a_create_in_flight(scene: Stage) -> None:
    scene.state.faults.append(Fault("create", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: bool(scene.state.tasks))
    assert row_state(scene) == [("prepared", 1)]
    await assert_collected(scene)
    assert scene.state.lookups == 1


async def test_the_wait_before_a_lookup(scene: Stage) -> None:
    scene.state.faults.append(Fault("create", "make_then_reset"))
    await cancelled_when(scene, lambda: scene.heard.shown("reply was lost"))
    assert scene.state.lookups == 0
    await assert_collected(scene)


async def test_a_lookup_that_hangs(scene: Stage) -> None:
    scene.state.faults += [Fault("create", "make_then_reset"), Fault("lookup", "hang", seconds=FOR_EVER)]
    await cancelled_when(scene, lambda: scene.state.lookups == 1, QUICK)
    assert row_state(scene) == [("prepared", 1)]
    await assert_collected(scene)


async def test_the_lookup_of_a_later_run_that_hangs(scene: Stage) -> None:
    scene.state.faults.append(Fault("create", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: bool(scene.state.tasks))
    scene.state.faults.append(Fault("lookup", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.state.lookups == 1)
    await assert_collected(scene)


async def test_the_wait_between_two_polls(scene: Stage) -> None:
    scene.state.processing_seconds = FOR_EVER
    await cancelled_when(scene, lambda: scene.state.polls == 1)
    assert row_state(scene) == [("submitted", 1)]
    finish_all(scene)
    await assert_collected(scene)


async def test_a_poll_that_hangs(scene: Stage) -> None:
    scene.state.faults.append(Fault("query", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.state.polls == 1)
    await assert_collected(scene)


async def test_a_download_that_hangs(scene: Stage) -> None:
    scene.state.faults.append(Fault("download", "hang", seconds=FOR_EVER))
    await cancelled_when(scene, lambda: scene.state.downloads == 1)
    assert row_state(scene) == [("succeeded", 1)]
    assert not list(scene.files.iterdir())
    await assert_collected(scene)


async def test_a_download_that_broke_in_the_middle_is_resumed_by_the_next_run(scene: Stage) -> None:
    scene.state.faults.append(Fault("download", "truncate_download", at=700))
    part = scene.files
    await cancelled_when(scene, lambda: any(file.stat().st_size == 700 for file in part.glob("*.part")))
    assert sorted(file.suffixes[-1] for file in part.iterdir()) == [".json", ".part"]
    before = scene.state.bytes_sent
    await assert_collected(scene)
    assert scene.state.bytes_sent - before == len(tiny()) - 700


@pytest.mark.parametrize("step", ["_open", "_write", "_finish"])
async def test_a_disk_that_hangs(scene: Stage, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_cancel_that_comes_together_with_the_answer_is_not_lost() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        return await answer

    run = asyncio.ensure_future(within(60, work()))
    for _ in range(3):
        await asyncio.sleep(0)
    answer.set_result("made")
    await asyncio.sleep(0)  # the inner task has its result, the run has not yet heard of it
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_cancel_at_the_first_moment(scene: Stage) -> None:
    run = Cancelled(run_of(scene))
    await asyncio.sleep(0)
    await run.at_once()
    await assert_collected(scene, bought_before=False)


async def test_a_take_cancelled_again_and_again_is_paid_once(scene: Stage) -> None:
    """Each run gets a little further than the one before; whichever it was that bought, one did."""
    for step in range(40):
        run = asyncio.ensure_future(run_of(scene, QUICK))
        await asyncio.wait({run}, timeout=0.002 * step)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        assert all(state in LEGAL for state, _ in row_state(scene))
    delivered = await run_of(scene, QUICK)
    assert len(scene.state.committed()) == 1
    assert video(delivered).read_bytes() == tiny()
