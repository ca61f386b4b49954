"""Some hundred runs of the state machine; `dev.py faults` does any number of them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest
from hypothesis import settings

from kling_takes.apis import follower
from kling_takes.apis.journal import Row
from kling_takes.apis.paid_task import PaidTask
from kling_takes.simulator.state import State
from kling_takes.simulator.task import SimTask
from kling_takes.tests.faults.run_faults import run_batch
from kling_takes.tests.faults.scenario import Violation
from kling_takes.tests.virtual_time import OnTheLoop, VirtualLoop

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("chosen", [11, 12, 13])
def test_whatever_breaks_a_take_is_billed_once_and_delivered(chosen: int) -> None:
    runs, counts = run_batch(settings().max_examples, chosen)
    assert runs >= settings().max_examples
    assert counts["takes run"] > runs
    assert counts["run ended: delivered, paid"] > 0


def test_the_state_machine_notices_an_id_that_changes_with_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(PaidTask, "_external_id", lambda _self, _attempt, _take: f"kt-{next(numbers)}")
    with pytest.raises(Violation):
        run_batch(100, 1, shrink=False)


def test_the_state_machine_notices_a_take_that_is_sent_unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(self: PaidTask, purchase: object, limit: object) -> object:
        row = await prepare(self, purchase, limit)
        await self.context.journal.call(self.context.journal.refused, row.row_id, "")
        return row

    prepare = PaidTask._prepare
    monkeypatch.setattr(PaidTask, "_prepare", forgetful)
    with pytest.raises(Violation):
        run_batch(100, 1, shrink=False)


def test_a_virtual_hour_takes_no_time() -> None:
    loop = VirtualLoop()
    begun = time.monotonic()
    loop.run_until_complete(asyncio.wait_for(asyncio.sleep(3600), 7200))
    loop.close()
    assert loop.now == pytest.approx(3600)
    assert time.monotonic() - begun < 1


def test_work_that_is_put_off_is_done_in_its_order_and_never_after_the_end() -> None:
    loop, done = VirtualLoop(), []
    worker = OnTheLoop(loop, late=3)
    worker.submit(done.append, 1)
    worker.submit(done.append, 2)
    loop.run_until_complete(asyncio.sleep(1))
    worker.submit(done.append, 3)
    worker.abandoned = True
    loop.run_until_complete(asyncio.sleep(1))
    loop.close()
    assert done == [1, 2]


def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: the spending limit is not looked at."""
    prepare = PaidTask._prepare
    monkeypatch.setattr(PaidTask, "_prepare", lambda self, purchase, _limit: prepare(self, purchase, None))


def billed_failures_bought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: a failure that was billed is one like any other."""
    monkeypatch.setattr(Row, "is_billed_failure", False)


def halves_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: a video that is on the disk is not measured."""
    monkeypatch.setattr(follower, "is_whole", lambda path, *_: path.is_file())


def late_links_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: a video whose link comes late is called gone."""
    monkeypatch.setattr(follower.Follower, "_is_old", lambda *_: True)


def billed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break Kling: it takes the price of every task twice."""
    bill = State.bill

    def twice(self: State, task: SimTask) -> None:
        bill(self, task)
        bill(self, task)

    monkeypatch.setattr(State, "bill", twice)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (unlimited, "has spent"),
        (billed_failures_bought_again, "pays 2 times|two regions|under 2 ids|was not told|bought another"),
        (halves_handed_out, "not the whole video"),
        (late_links_are_gone, "a video of today is gone"),
        (billed_twice, "the audit of"),
    ],
)
def test_the_state_machine_notices(monkeypatch: pytest.MonkeyPatch, broken: Break, words: str) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation, match=words):
        run_batch(400, 1, shrink=False)
