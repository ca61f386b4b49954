"""The queue for a free slot: in order, woken early, and empty again whatever happens."""

from __future__ import annotations

import asyncio

import pytest

from kling_takes.apis import slots
from kling_takes.apis.slots import SlotQueue, slot_queue, take_lock


async def test_turns_come_in_the_order_of_arrival() -> None:
    queue, order = SlotQueue(), []

    async def stand(number: int) -> None:
        async with queue.turn():
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(stand(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert queue.waiting == 0


async def test_one_that_is_cancelled_leaves_the_queue_to_the_next() -> None:
    queue, served = SlotQueue(), asyncio.Event()

    async def first() -> None:
        async with queue.turn():
            await asyncio.sleep(3600)

    async def second() -> None:
        async with queue.turn():
            served.set()

    tasks = [asyncio.ensure_future(first()), asyncio.ensure_future(second())]
    await asyncio.sleep(0.01)
    assert queue.waiting == 2
    assert not served.is_set()
    tasks[0].cancel()
    await asyncio.wait_for(served.wait(), 1)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert queue.waiting == 0


async def test_a_task_that_ends_wakes_the_first_in_the_queue() -> None:
    queue = SlotQueue()
    pause = asyncio.ensure_future(queue.pause(3600, asyncio.sleep))
    await asyncio.sleep(0.01)
    queue.freed()
    await asyncio.wait_for(pause, 1)


async def test_a_pause_ends_by_itself_and_leaves_nothing_behind() -> None:
    queue, before = SlotQueue(), asyncio.all_tasks()
    await queue.pause(0.001, asyncio.sleep)
    assert asyncio.all_tasks() == before


async def test_a_cancelled_pause_leaves_nothing_behind() -> None:
    queue, before = SlotQueue(), asyncio.all_tasks()
    pause = asyncio.ensure_future(queue.pause(3600, asyncio.sleep))
    await asyncio.sleep(0.01)
    pause.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pause
    assert asyncio.all_tasks() == before


async def test_a_run_cancelled_at_any_turn_of_a_pause_in_the_queue_ends() -> None:
    for turns in range(8):
        queue = SlotQueue()
        run = asyncio.ensure_future(queue.pause(0.0, asyncio.sleep))
        for _ in range(turns):
            await asyncio.sleep(0)
        if run.cancel():
            with pytest.raises(asyncio.CancelledError):
                await run


async def test_accounts_and_models_have_queues_and_takes_have_locks_of_their_own() -> None:
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
