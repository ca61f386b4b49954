"""The line for a free slot: in order, one create at a time, woken early, and empty again whatever happens."""

from __future__ import annotations

import asyncio
import random
from contextlib import ExitStack

import pytest

from kling_takes.apis import slots
from kling_takes.apis.clock import RealClock
from kling_takes.apis.slots import NEAR, PROBE_AFTER, Pause, Place, SlotQueue, TakeLock, slot_queue, take_lock
from kling_takes.tests.virtual_time import VirtualClock

#: far longer than a test, so that only news ends it
LONG = Pause(0.0, 3600.0)
REAL = RealClock()


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


class Line:
    """A line with some places in it, each of which notes when it has its turn."""

    def __init__(self, count: int) -> None:
        self.queue, self._open = SlotQueue(), ExitStack()
        self.places = [self._open.enter_context(self.queue.place()) for _ in range(count)]
        self.turns: list[int] = []

    async def turn(self, number: int, pause: Pause | None = None) -> None:
        await self.places[number].turn(REAL, pause)
        self.turns.append(number)


async def test_turns_come_in_the_order_of_arrival_and_one_at_a_time() -> None:
    line = Line(5)
    runs = [asyncio.ensure_future(line.turn(number)) for number in (3, 1, 4, 0, 2)]
    for number in range(5):
        await settle()
        assert line.turns == list(range(number + 1))
        line.places[number].leave()
    await asyncio.gather(*runs)
    assert line.queue.waiting == 0


async def test_only_a_few_get_ready_and_they_make_room_one_by_one() -> None:
    line = Line(6)
    assert [place.is_near for place in line.places] == [True] * NEAR + [False] * (6 - NEAR)
    ready = asyncio.ensure_future(line.places[NEAR].near())
    await settle()
    assert not ready.done()
    line.places[1].leave()
    await asyncio.wait_for(ready, 1)


async def test_one_that_looks_a_create_up_lets_the_next_go_and_has_its_place_again() -> None:
    line = Line(4)
    await line.turn(0)
    line.places[0].step_aside()
    await line.turn(1)
    back = asyncio.ensure_future(line.turn(0))
    behind = asyncio.ensure_future(line.turn(2))
    await settle()
    assert line.turns == [0, 1]  # the create of the second is still on its way
    line.places[1].leave()
    await settle()
    assert line.turns == [0, 1, 0]
    line.places[0].leave()
    await asyncio.gather(back, behind)
    assert line.turns == [0, 1, 0, 2]


async def test_those_that_look_a_create_up_count_among_the_few_that_are_ready() -> None:
    line = Line(4)
    for number in range(NEAR):
        await line.turn(number)
        line.places[number].step_aside()
    assert not line.places[NEAR].is_near
    line.places[0].leave()
    assert line.places[NEAR].is_near


async def test_one_that_left_for_good_and_comes_back_is_where_it_was() -> None:
    line = Line(5)
    line.places[0].leave()
    back = asyncio.ensure_future(line.turn(0))
    await settle()
    await line.turn(1)
    line.places[1].leave()
    await asyncio.wait_for(back, 1)
    assert line.turns == [1, 0]


async def test_one_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    queue, served = SlotQueue(), asyncio.Event()

    async def first() -> None:
        with queue.place() as place:
            await place.turn(REAL)
            await asyncio.sleep(3600)

    async def second() -> None:
        with queue.place() as place:
            await place.turn(REAL)
            served.set()

    tasks = [asyncio.ensure_future(first()), asyncio.ensure_future(second())]
    await settle()
    assert queue.waiting == 2
    assert not served.is_set()
    tasks[0].cancel()
    await asyncio.wait_for(served.wait(), 1)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert queue.waiting == 0


async def test_a_task_that_ends_wakes_the_first_in_line() -> None:
    line = Line(1)
    line.places[0].slot.take()
    await line.turn(0)
    again = asyncio.ensure_future(line.turn(0, LONG))
    await settle()
    assert not again.done()
    line.queue.gave_back()
    await asyncio.wait_for(again, 1)


async def test_a_task_that_ended_while_the_create_was_on_its_way_counts_too() -> None:
    line = Line(1)
    line.queue.took(accepted=True)
    await line.turn(0)
    line.queue.gave_back()
    await asyncio.wait_for(line.turn(0, LONG), 1)


async def test_a_task_that_ended_before_the_create_left_is_no_news() -> None:
    line = Line(1)
    line.queue.took(accepted=True)
    line.queue.gave_back()
    await line.turn(0)
    again = asyncio.ensure_future(line.turn(0, LONG))
    await settle()
    assert not again.done()
    again.cancel()


async def test_what_the_server_asked_to_wait_is_waited_whatever_ends() -> None:
    line, clock = Line(1), VirtualClock()
    line.queue.took(accepted=True)
    await line.turn(0)
    began = clock.now
    line.queue.gave_back()
    await line.places[0].turn(clock, Pause(77.0, 100.0))
    assert clock.now - began == 77.0


async def test_the_first_in_line_does_not_try_while_tasks_of_ours_hold_all_slots() -> None:
    line, clock = Line(2), VirtualClock()
    for place in line.places:
        place.slot.take(accepted=True)
    line.queue.refused(clock.now)
    began = clock.now
    await line.places[0].turn(clock)
    assert clock.now - began == PROBE_AFTER


async def test_the_wait_for_a_try_beyond_the_known_slots_is_not_begun_anew_by_each_task_that_ends() -> None:
    queue, clock = SlotQueue(), VirtualClock()
    queue.took(accepted=True)
    queue.refused(clock.now)
    clock.now += PROBE_AFTER - 1.0
    queue.gave_back()
    queue.took(accepted=True)
    assert queue.patience(clock.now) == 1.0


async def test_the_number_of_slots_is_learned_from_refusals_and_from_what_is_accepted_beyond_it() -> None:
    queue = SlotQueue()
    assert not queue.is_full
    for _ in range(3):
        queue.took(accepted=True)
    queue.refused(0.0)
    assert queue.limit == 3
    assert queue.is_full
    queue.gave_back()
    assert not queue.is_full
    queue.took(accepted=False)  # collected from an earlier run: it held its slot all the time
    queue.took(accepted=False)
    assert queue.limit == 3
    queue.took(accepted=True)
    assert queue.limit is None


async def test_tries_beyond_the_known_slots_come_ever_more_rarely_until_one_finds_something() -> None:
    queue = SlotQueue()
    queue.took(accepted=True)
    waits = []
    for _ in range(4):
        queue.refused(0.0)
        waits.append(queue.patience(0.0))
    assert waits == [15.0, 30.0, 60.0, 60.0]
    queue.took(accepted=True)
    queue.refused(0.0)
    assert queue.patience(0.0) == 15.0


async def test_an_account_full_of_others_is_asked_soon_and_then_more_rarely() -> None:
    queue, waits = SlotQueue(), []
    for _ in range(7):
        queue.refused(0.0)
        waits.append(queue.patience(0.0))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_a_slot_is_taken_once_and_given_back_once() -> None:
    queue = SlotQueue()
    with queue.place() as place:
        place.slot.take(accepted=True)
        place.slot.take()
        assert queue.running == 1
        place.slot.free()
        place.slot.free()
        place.slot.take()
        assert queue.running == 0
    assert (queue.running, queue.ended) == (0, 1)


async def test_a_run_that_ends_without_news_of_its_task_gives_the_slot_back() -> None:
    queue = SlotQueue()
    with queue.place() as place:
        place.slot.take(accepted=True)
    assert queue.running == 0


async def test_a_wait_ends_by_itself_and_leaves_nothing_behind() -> None:
    line, before = Line(1), asyncio.all_tasks()
    await line.turn(0)
    await line.turn(0, Pause(0.0, 0.001))
    assert asyncio.all_tasks() == before
    assert not line.queue._wakers


async def test_a_run_cancelled_at_any_moment_of_a_wait_ends_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    for turns in range(12):
        line = Line(1)
        run = asyncio.ensure_future(line.turn(0, Pause(0.0, 0.0001)))
        for _ in range(turns):
            await asyncio.sleep(0)
        if run.cancel():
            with pytest.raises(asyncio.CancelledError):
                await run
        assert asyncio.all_tasks() == before


async def walk(queue: SlotQueue, place: Place, rng: random.Random, on_the_way: list[Place]) -> None:
    """Go through the line as a take does to which everything can happen."""

    async def some_time() -> None:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)

    await place.near()
    await some_time()
    if rng.random() < 0.2:  # a twin holds the take's lock
        place.leave()
        await some_time()
        await place.near()
    pause = None
    for _ in range(rng.randrange(1, 5)):
        await place.turn(REAL, pause)
        on_the_way.append(place)
        assert on_the_way == [place]
        await some_time()
        on_the_way.remove(place)
        pause = None
        if rng.random() < 0.3:
            place.step_aside()
            await some_time()
        elif rng.random() < 0.5:
            queue.refused(0.0)
            pause = Pause(0.0, rng.choice([0.0, 0.0005, 0.002]))
        else:
            place.slot.take(accepted=True)
            place.leave()
            await some_time()
            return


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_one_create_is_on_its_way_few_are_ready_and_all_get_through(seed: int) -> None:
    rng, queue, on_the_way = random.Random(seed), SlotQueue(), list[Place]()

    async def run() -> None:
        with queue.place() as place:
            try:
                await walk(queue, place, rng, on_the_way)
            finally:
                if place in on_the_way:
                    on_the_way.remove(place)

    runs = [asyncio.ensure_future(run()) for _ in range(25)]
    while any(not each.done() for each in runs):
        assert len(queue._near) <= NEAR
        if rng.random() < 0.05:
            rng.choice(runs).cancel()
        await asyncio.sleep(0)
    ends = await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 5)
    assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
    assert (queue.waiting, queue.running, len(queue._wakers)) == (0, 0, 0)


async def test_a_lock_is_wanted_also_while_it_goes_from_one_to_the_next() -> None:
    lock, got = TakeLock(), asyncio.Event()

    async def second() -> None:
        async with lock:
            got.set()

    async with lock:
        waits = asyncio.ensure_future(second())
        await settle()
    assert not lock.locked()
    assert lock.is_wanted
    await waits
    assert not lock.is_wanted


async def test_accounts_and_models_have_lines_and_takes_have_locks_of_their_own() -> None:
    assert slot_queue("a", "m") is slot_queue("a", "m")
    assert slot_queue("a", "m") is not slot_queue("b", "m")
    assert slot_queue("a", "m") is not slot_queue("a", "n")
    assert take_lock("a", "t") is take_lock("a", "t")
    assert take_lock("a", "t") is not take_lock("b", "t")


def test_nothing_of_one_loop_reaches_the_next() -> None:
    async def mine() -> SlotQueue:
        return slot_queue("a", "m")

    assert asyncio.run(mine()) is not asyncio.run(mine())


def test_a_loop_that_has_ended_is_forgotten_although_its_lock_was_waited_for() -> None:
    async def contend() -> None:
        async def hold() -> None:
            async with take_lock("a", "t"):
                await asyncio.sleep(0)

        await asyncio.gather(hold(), hold())

    for _ in range(3):
        asyncio.run(contend())
    assert len([loop for loop in slots._locks if loop.is_closed()]) <= 1
