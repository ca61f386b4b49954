"""What the account has left is asked for no more often than Kling allows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from kling_takes.apis import studio
from kling_takes.simulator import account
from kling_takes.tests.stage import stage


async def test_several_who_ask_at_once_are_spread_so_that_kling_refuses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert studio.ACCOUNT_PAUSE > account.SECONDS_BETWEEN_CALLS
    # The same with a tenth of the time, and room for a busy machine.
    monkeypatch.setattr(studio, "ACCOUNT_PAUSE", 0.11)
    monkeypatch.setattr(account, "SECONDS_BETWEEN_CALLS", 0.05)
    async with stage(tmp_path, clock=time.time) as s:
        asking = s.studio()
        summaries = await asyncio.gather(*(asking.account() for _ in range(3)))
        assert not s.state.refusals
    assert [summary.concurrency for summary in summaries] == [5, 5, 5]
