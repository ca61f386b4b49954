"""Cancel is answered at once while another process holds the journal, and no paid id is lost to it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kling_takes.simulator.faults import Fault
from kling_takes.tests.cancelling import Cancelled, assert_collected, run_of, until
from kling_takes.tests.stage import Stage, real_stage


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with real_stage(tmp_path) as made:
        yield made


_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def journal_held(scene: Stage) -> Iterator[None]:
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


def open_journal(scene: Stage) -> None:
    with closing(scene.journal()._checked()):
        pass


async def test_a_journal_that_another_process_holds(scene: Stage) -> None:
    scene.journal().open()
    with journal_held(scene):
        run = Cancelled(run_of(scene))
        await asyncio.sleep(0.3)
        await run.at_once()
    assert scene.state.creates_received == 0
    await assert_collected(scene, bought_before=False)


async def test_a_journal_that_another_process_holds_while_it_is_opened(scene: Stage) -> None:
    open_journal(scene)
    with journal_held(scene):
        run = Cancelled(run_of(scene))
        await asyncio.sleep(0.3)
        await run.at_once()
    await assert_collected(scene, bought_before=False)


async def test_five_nodes_at_a_journal_that_another_process_holds(scene: Stage) -> None:
    scene.journal().open()
    with journal_held(scene):
        run = Cancelled(*(run_of(scene, prompt=f"kite {number}") for number in range(5)))
        await asyncio.sleep(0.3)
        await run.at_once()
    assert scene.state.creates_received == 0


async def test_a_paid_id_that_waits_for_a_journal_in_use_is_written_down_after_all(scene: Stage) -> None:
    scene.state.faults.append(Fault("create", "hang", seconds=0.5))
    run = Cancelled(run_of(scene))
    await until(lambda: bool(scene.state.tasks))
    with journal_held(scene):
        await asyncio.sleep(1.0)  # the reply has come, and its row can't be written
        await run.at_once()
    await assert_collected(scene)
    assert scene.state.lookups == 0
