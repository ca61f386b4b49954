"""What the account has left is asked for no more often than Kling allows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kling_takes.apis import account_reads
from kling_takes.simulator import account
from kling_takes.simulator.faults import Fault
from kling_takes.tests.stage import real_stage, stage


async def test_several_who_ask_at_once_are_spread_so_that_kling_refuses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert account_reads.ACCOUNT_PAUSE > account.SECONDS_BETWEEN_CALLS
    # The same with a tenth of the time, and room for a busy machine.
    monkeypatch.setattr(account_reads, "ACCOUNT_PAUSE", 0.11)
    monkeypatch.setattr(account, "SECONDS_BETWEEN_CALLS", 0.05)
    with real_stage(tmp_path) as s:
        asking = s.studio()
        summaries = await asyncio.gather(*(asking.account() for _ in range(3)))
        assert not s.state.refusals
    assert [summary.concurrency for summary in summaries] == [5, 5, 5]


async def test_where_another_computer_asks_in_the_same_second_the_question_is_put_again(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        s.state.faults.append(Fault("account", "paced", times=2))
        assert (await s.studio().account()).concurrency == 5
        assert s.state.refusals == {(429, 1302): 2}
