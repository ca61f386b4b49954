"""A create that is refused, put off or never leaves costs nothing, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.simulator.faults import Fault
from kling_takes.tests.stage import stage
from kling_takes.tests.virtual_time import NOON


async def test_a_refusal_costs_nothing_and_the_same_id_is_used_again(tmp_path: Path) -> None:
    async with stage(tmp_path, balance_units=0.5) as s:
        studio = s.studio()
        with pytest.raises(errors.AccountRefused) as caught:
            await s.take(studio)
        assert caught.value.code == 1102
        assert s.state.creates_received == 1
        s.state.balance_units = 100
        delivered = await s.take(studio)
        assert delivered.external_task_id is not None
        assert len(s.committed) == 1


@pytest.mark.parametrize("code", [1100, 1101, 1102, 1103, 1304, 1000, 1200, 1201, 1203, 1300, 1301])
async def test_a_refused_create_is_never_repeated_by_itself(tmp_path: Path, code: int) -> None:
    async with stage(tmp_path, refuse_code=code) as s:
        with pytest.raises(errors.Refused) as caught:
            await s.take(s.studio())
        assert caught.value.code == code
        assert s.state.creates_received == 1


async def test_more_nodes_than_slots_are_all_delivered_in_turn(tmp_path: Path) -> None:
    async with stage(tmp_path, concurrency_limit=2) as s:
        studio = s.studio()
        await asyncio.gather(*(s.take(studio, f"kite number {n}") for n in range(5)))
        assert len(s.committed) == 5
        assert any("free slot" in line for line in s.heard.lines)


async def test_a_busy_account_is_given_up_at_the_deadline_and_nothing_was_bought(tmp_path: Path) -> None:
    async with stage(tmp_path, concurrency_limit=0) as s:
        settings = s.settings(KLING_MAX_WAIT_MINUTES="2")
        with pytest.raises(errors.Throttled) as caught:
            await s.take(s.studio(settings=settings))
        assert "nothing is paid" in str(caught.value)
        assert s.clock.now - NOON <= 120


async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "paced", retry_after="77")]) as s:
        began = s.clock.now
        await s.take(s.studio())
        assert s.committed[0].created_at - began >= 77


async def test_an_unreachable_host_says_that_nothing_left(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        settings = s.settings(KLING_API_BASE="http://127.0.0.1:9")
        with pytest.raises(errors.NeverDelivered) as caught:
            await s.take(s.studio(settings=settings))
        assert "not paid" in str(caught.value)


async def test_a_wrong_key_is_an_error_of_its_own(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        settings = s.settings(key="api-key-kling-wrong")
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await s.take(s.studio(settings=settings))
        assert "KLING_API_KEY" in str(caught.value)
        assert "wrong" not in str(caught.value)


async def test_the_daily_limit_refuses_before_anything_is_sent(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(settings=s.settings(KLING_MAX_USD_PER_DAY="0.50"))
        await s.take(studio, take=1)
        await s.take(studio, take=2)
        with pytest.raises(errors.SpendingLimitReached) as caught:
            await s.take(studio, take=3)
        assert "$0.42" in str(caught.value)
        assert "$0.50" in str(caught.value)
        assert s.state.creates_received == 2
        assert (await s.take(studio, take=1)).collected
