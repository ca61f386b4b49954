"""Long lists: every create takes its turn, whoever else uses the account, and waiting costs nothing."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import weakref
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import account_reads, errors, slots, status, studio
from kling_takes.apis.context import Policy
from kling_takes.apis.plan import Plan
from kling_takes.apis.slots import slot_queue
from kling_takes.apis.studio import Studio
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.server import SimulatorServer
from kling_takes.simulator.state import State
from kling_takes.tests.builders import text_request
from kling_takes.tests.stage import Stage, in_virtual_time, real_stage

LAUNCH = Path(__file__).resolve().parent.parent.parent / "devtools" / "launch.py"
#: a simulator whose videos take ten seconds each
TEN: dict[str, Any] = {"submitted_seconds": 0.0, "processing_seconds": 10.0, "processing_per_second": 0.0}
RICH = {"balance_units": 1e6}


@pytest.fixture(autouse=True)
def nobody_has_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows how many slots an account has from the one before."""
    monkeypatch.setattr(studio, "_slots_asked", {})
    monkeypatch.setattr(account_reads, "_asked", {})
    monkeypatch.setattr(slots, "_known", {})


async def take_all(s: Stage, count: int, of: Studio | None = None, name: str = "kite") -> float:
    """Take a list at once, as a node fed with one does; return the seconds that it took."""
    began, used = s.clock.monotonic(), of or s.studio()
    delivered = await asyncio.gather(*(s.take(used, f"{name} {n}") for n in range(count)))
    assert len({each.task_id for each in delivered}) == count
    return s.clock.monotonic() - began


def refusals(s: Stage) -> int:
    """How many creates Kling had no slot for."""
    return s.state.refusals[429, 1303]


def order(s: Stage) -> list[int]:
    """The numbers of the prompts, in the order in which Kling took them."""
    return [int(task.order.words().split()[-1]) for task in s.state.tasks.values()]


@pytest.mark.parametrize("packs", [None, []], ids=["packs tell the limit", "nothing tells the limit"])
def test_two_hundred_at_twenty_slots_are_hardly_ever_refused_and_waste_no_time(
    tmp_path: Path, packs: list[Any] | None
) -> None:
    async def story(s: Stage) -> None:
        took = await take_all(s, 200)
        assert 100 <= took < 105
        assert refusals(s) <= 5
        assert order(s) == list(range(200))

    in_virtual_time(tmp_path, story, concurrency_limit=20, resource_packs=packs, **TEN, **RICH)


def test_in_real_time_a_list_is_hardly_ever_refused_and_waste_is_small(tmp_path: Path) -> None:
    with real_stage(tmp_path, concurrency_limit=4, processing_seconds=0.3, **RICH) as s:
        took = asyncio.run(take_all(s, 12))
        assert refusals(s) <= 2
        assert order(s) == list(range(12))
        assert took < 8


def test_a_thousand_on_five_slots_are_all_made_although_a_node_waits_five_minutes_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TICK", 1e6)  # nobody watches the seconds count here

    async def story(s: Stage) -> None:
        patient = s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES="5"))
        assert 2000 <= await take_all(s, 1000, patient) < 2100
        assert len(s.committed) == 1000

    in_virtual_time(tmp_path, story, **TEN, **RICH)


_process: ContextVar[str] = ContextVar("_process")


def test_two_processes_share_an_account_and_both_get_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        studio, "slot_queue", lambda account, model: slot_queue(_process.get() + account, model)
    )
    rng, done = random.Random(1), list[str]()

    async def story(s: Stage) -> None:
        async def run(name: str, late: float) -> None:
            _process.set(name)
            await asyncio.sleep(late)
            own = s.studio(s.journal(name))

            async def one(number: int) -> None:
                await s.take(own, f"{name} {number}")
                done.append(name)
                # No two videos of Kling's take equally long.
                s.state.processing_seconds = rng.uniform(60.0, 140.0)

            await asyncio.gather(*(one(number) for number in range(60)))

        began = s.clock.monotonic()
        await asyncio.gather(run("first", 0.0), run("second", 5.0))
        assert s.clock.monotonic() - began < 1.1 * 120 * 100 / 5
        assert len(s.committed) == 120
        half = done[:60]
        assert min(half.count("first"), half.count("second")) >= 5

    in_virtual_time(tmp_path, story, **{**TEN, "processing_seconds": 100.0}, **RICH)


def test_slots_that_others_leave_are_found_while_our_own_tasks_come_and_go(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        async def others_leave() -> None:
            await asyncio.sleep(60)
            s.state.concurrency_limit = 10

        leave = asyncio.ensure_future(others_leave())
        # Six are made in the first minute. At ten slots the other 94 take about 100 s.
        assert await take_all(s, 100) < 60 + 60 + 110
        await leave

    in_virtual_time(tmp_path, story, concurrency_limit=1, resource_packs=[], **TEN, **RICH)


def test_a_limit_that_falls_is_learned_again(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        async def others_come() -> None:
            await asyncio.sleep(25)
            s.state.concurrency_limit = 2

        come = asyncio.ensure_future(others_come())
        assert await take_all(s, 50) < 25 + 20 * 5 + 30
        assert refusals(s) <= 12
        await come

    in_virtual_time(tmp_path, story, concurrency_limit=10, **TEN, **RICH)


def test_too_fast_is_not_too_many(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        running = asyncio.ensure_future(s.take(s.studio(), "kite 0"))
        await asyncio.sleep(1)
        s.state.refuse_code = 1302
        second = s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES="2"))
        with pytest.raises(errors.Throttled, match="as too fast in all this time"):
            await s.take(second, "kite 1")
        await running
        (queue,) = slots._queues[asyncio.get_running_loop()].values()
        assert queue.limit is None
        assert s.heard.shown("more slowly")
        # At 1, 2, 4, 8 ... 30 s: a task of ours that ended meanwhile made it try no sooner.
        assert 7 <= s.state.creates_received - 1 <= 9

    in_virtual_time(tmp_path, story, **TEN)


def test_an_account_full_of_somebody_elses_tasks_for_all_of_the_wait_is_said_and_costs_nothing(
    tmp_path: Path,
) -> None:
    async def story(s: Stage) -> None:
        impatient = s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES="10"))
        with pytest.raises(errors.Throttled, match=r"no free slot in all this time.*nothing is paid"):
            await s.take(impatient)
        assert 9 * 60 < s.clock.monotonic() < 10 * 60

    in_virtual_time(tmp_path, story, concurrency_limit=0)


def test_while_own_tasks_hold_the_slots_the_wait_is_never_over(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        impatient = s.studio(settings=s.settings(KLING_MAX_WAIT_MINUTES="0.2"))
        assert await take_all(s, 5, impatient) > 50

    in_virtual_time(tmp_path, story, concurrency_limit=1, **TEN)


def test_what_the_packs_say_of_the_slots_is_known_before_the_first_refusal(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        await take_all(s, 4)
        assert refusals(s) == 0

    in_virtual_time(tmp_path, story, concurrency_limit=2, **TEN)


def test_the_account_is_asked_once_an_hour_and_need_not_answer(tmp_path: Path) -> None:
    def asked(s: Stage) -> int:
        return sum("costs" in request.path for request in s.state.requests)

    async def story(s: Stage) -> None:
        s.state.faults.append(Fault("account", "error_500_before"))
        await take_all(s, 4, name="one")
        assert asked(s) == 1
        await take_all(s, 4, name="two")
        assert asked(s) == 1
        await asyncio.sleep(3600)
        await take_all(s, 4, name="three")
        assert asked(s) == 2

    in_virtual_time(tmp_path, story, concurrency_limit=2, **TEN)


def test_an_account_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        s.state.faults.append(Fault("account", "hang", seconds=1000))
        assert await take_all(s, 3, s.studio(policy=Policy())) < 12

    in_virtual_time(tmp_path, story, **TEN)


def test_a_task_collected_from_an_earlier_run_holds_its_slot_while_it_runs(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        cut_off = asyncio.ensure_future(s.take(s.studio(), "kite 0"))
        await asyncio.sleep(2)
        cut_off.cancel()
        await asyncio.wait({cut_off})
        slots._queues.clear()
        await asyncio.gather(*(s.take(s.studio(), f"kite {n}") for n in range(2)))
        assert len(s.committed) == 2
        # One refusal says that there is one slot; when its task ends, the other goes at once.
        assert refusals(s) == 1
        assert s.clock.monotonic() < 22

    in_virtual_time(tmp_path, story, concurrency_limit=1, **TEN)


@pytest.mark.parametrize(
    "end", ["made", "failed", "canceled", "waited too long", "cancelled here", "no journal"]
)
def test_however_a_run_ends_its_slot_is_given_back_once(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(s: Stage) -> None:
        used = s.studio(
            settings=s.settings(KLING_MAX_WAIT_MINUTES="0.1" if end == "waited too long" else "60")
        )
        prompt = "[fail] kite" if end == "failed" else "kite"
        run = asyncio.ensure_future(s.take(used, prompt))
        if end == "no journal":

            def broken(*_: Any, **__: Any) -> None:
                raise errors.JournalError("The disk is full.")

            monkeypatch.setattr(used.context.journal, "submitted", broken)
        await asyncio.sleep(3)
        (queue,) = slots._queues[asyncio.get_running_loop()].values()
        assert queue.running == (0 if end == "no journal" else 1)
        if end == "cancelled here":
            run.cancel()
        if end == "canceled":
            (task,) = s.state.tasks.values()
            task.outcome = "canceled"
        await asyncio.wait({run})
        assert (queue.running, queue.ended, queue.waiting) == (0, 1, 0)

    in_virtual_time(tmp_path, story, **TEN)


def test_a_twin_that_waits_for_its_take_holds_no_place_and_no_picture(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        made: list[weakref.ref[Plan]] = []

        async def taken(used: Studio, prompt: str) -> Any:
            async def make() -> Plan:
                plan = used.plan(text_request(prompt=prompt), 0)
                made.append(weakref.ref(plan))
                return plan

            return await used.take_in_turn("kling-v2-6", make, files=s.files, reporter=s.heard)

        used = s.studio()
        twins = [asyncio.ensure_future(taken(used, "kite")) for _ in range(4)]
        await asyncio.sleep(2)
        (queue,) = slots._queues[asyncio.get_running_loop()].values()
        assert queue.waiting == 0
        assert len(made) == 4
        assert [plan() for plan in made] == [None] * 4
        await taken(used, "another kite")
        assert len(s.committed) == 2
        delivered = await asyncio.gather(*twins)
        assert [each.collected for each in delivered] == [False, True, True, True]
        assert s.state.polls < 30  # only the first of the four asked Kling

    in_virtual_time(tmp_path, story, **TEN)


def test_a_reply_that_is_lost_holds_nobody_up_and_the_order_stays(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        s.state.faults += [Fault("create", "error_500_before"), Fault("create", "reset_before_headers")]
        await take_all(s, 4)
        assert sorted(order(s)) == [0, 1, 2, 3]
        assert [s.state.creates_received, len(s.committed)] == [6, 4]

    in_virtual_time(tmp_path, story, **TEN)


def test_a_download_says_how_far_it_is_once_a_second_and_not_with_every_piece(tmp_path: Path) -> None:
    async def story(s: Stage) -> None:
        await s.take(s.studio())
        assert s.heard.shown("Downloading")
        assert not s.heard.shown(" MB")  # it was over within the second

    in_virtual_time(tmp_path, story)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the allocator keeps what was freed")
def test_a_list_of_pictures_takes_little_more_memory_than_one(tmp_path: Path) -> None:
    with SimulatorServer(State(**{**TEN, "processing_seconds": 0.3}, **RICH, render="tiny")) as kling:
        kling.state.concurrency_limit = 20
        command = [sys.executable, str(LAUNCH), "pack", "tests.picture_list", kling.url, "8", str(tmp_path)]
        # Large blocks go back to the system at once, so that what is counted is what is used.
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
        reply = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert reply.returncode == 0, reply.stderr
        assert len(kling.state.committed()) == 9
    assert int(reply.stdout) < 60e6
