"""A take that another machine, process or node has bought, or is buying, is paid once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import OPEN_STATES, Journal, Purchase, Row
from kling_takes.apis.slots import TakeLock
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import stage


async def test_an_empty_journal_pays_nothing_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("one")))
        delivered = await s.take(s.studio(s.journal("two")))
        assert delivered.collected
        assert len(s.committed) == 1


async def test_two_machines_that_buy_the_same_take_at_once_pay_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two machines share no lock, so neither do they here.
    monkeypatch.setattr("kling_takes.apis.studio.take_lock", lambda _account, _take: TakeLock())
    async with stage(tmp_path) as s:
        both = await asyncio.gather(s.take(s.studio(s.journal("one"))), s.take(s.studio(s.journal("two"))))
        assert len(s.committed) == 1
        assert {each.task_id for each in both} == {s.committed[0].id}
        assert s.state.creates_received == 2


async def test_two_nodes_with_the_same_take_share_one_purchase(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first, second = await asyncio.gather(s.take(studio), s.take(studio))
        assert [first.collected, second.collected] == [False, True]
        assert s.state.creates_received == 1


async def test_a_node_with_the_same_take_waits_while_another_looks_for_a_lost_reply(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")], lookup_blind_seconds=5) as s:
        studio = s.studio()
        first, second = await asyncio.gather(s.take(studio), s.take(studio))
        assert [first.collected, second.collected] == [False, True]
        assert s.state.creates_received == 1


class TwinBehind(Journal):
    """A journal into which another process writes the same purchase just after us."""

    def prepare(self, purchase: Purchase, **named: Any) -> Row:
        row = super().prepare(purchase, **named)
        super().prepare(purchase, **named)
        return row


@pytest.mark.parametrize(("journal", "adopted"), [(Journal, 1), (TwinBehind, 0)])
async def test_a_take_counts_as_paid_elsewhere_only_where_no_process_here_has_sent_it(
    tmp_path: Path, journal: type[Journal], adopted: int
) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("elsewhere")))
        here = s.journal("here", journal)
        delivered = await s.take(s.studio(here))
        row = only_row(here)
        assert row.task_id == delivered.task_id
        assert row.adopted == adopted
        assert len(s.committed) == 1


async def test_a_refusal_says_nothing_about_the_create_of_another_process(tmp_path: Path) -> None:
    async with stage(tmp_path, refuse_code=1102) as s:
        journal = s.journal("twins", TwinBehind)
        with pytest.raises(errors.AccountRefused) as caught:
            await s.take(s.studio(journal))
        assert caught.value.code == 1102
        external_id = s.state.requests[0].body_json_without_media["external_task_id"]
        row = only_row(journal)
        assert row.external_task_id == external_id
        assert row.state in OPEN_STATES


async def test_strangers_on_a_shared_account_do_not_meet(tmp_path: Path) -> None:
    keys = {"key-of-alice": "gateway", "key-of-bob": "gateway"}
    async with stage(tmp_path, api_keys=keys) as s:
        alice = s.studio(s.journal("alice"), settings=s.settings(key="key-of-alice"))
        bob = s.studio(s.journal("bob"), settings=s.settings(key="key-of-bob"))
        first, second = await s.take(alice), await s.take(bob)
        assert first.task_id != second.task_id
        assert len(s.committed) == 2


async def test_a_take_of_another_machine_is_collected_beyond_the_daily_limit(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("one")))
        limited = s.settings(KLING_MAX_USD_PER_DAY="0.01")
        assert (await s.take(s.studio(s.journal("two"), settings=limited))).collected


async def test_failed_attempts_of_another_machine_are_passed_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for _ in range(3):
            with pytest.raises(errors.TaskFailed):
                await s.take(s.studio(s.journal("one")), "a storm [fail]")
        with pytest.raises(errors.TaskFailed):
            await s.take(s.studio(s.journal("two")), "a storm [fail]")
        assert s.state.creates_accepted == 4
