"""Two keys of one region that are of two accounts: each collects what its own account has."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kling_takes.apis.journal import Journal
from kling_takes.apis.studio import Studio
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import Stage, stage, video

A, B, RENEWED = "key-of-account-a", "key-of-account-b", "renewed-key-of-account-a"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Stage]:
    keys = {A: "account a", RENEWED: "account a", B: "account b"}
    async with stage(tmp_path, api_keys=keys) as s:
        yield s


def studio(s: Stage, journal: Journal, key: str) -> Studio:
    """A studio on Kling's own host, where an account is known by its region alone."""
    settings = dataclasses.replace(s.settings(key=key), account="kling:global", shares_account=False)
    return s.studio(journal, settings=settings)


async def in_doubt_under_a(s: Stage, journal: Journal) -> None:
    """Account A has the task, and the run that bought it was lost before it could say so."""
    await s.take(studio(s, s.journal("another computer"), A))
    s.state.faults[:] = [Fault("create", "hang", 9, 0, 400.0), Fault("lookup", "error_500_before", 99)]
    with pytest.raises(Exception, match="not known"):
        await s.take(studio(s, journal, A))
    s.state.faults.clear()


async def test_on_a_again_run_and_recover_deliver_the_task_of_a(place: Stage) -> None:
    journal = place.journal()
    await in_doubt_under_a(place, journal)
    (of_a,) = place.state.billed("account a")
    bought_by_b = await place.take(studio(place, journal, B))
    assert not bought_by_b.collected
    (of_b,) = place.state.billed("account b")
    assert only_row(journal).task_id == of_b.id
    external_id = only_row(journal).external_task_id or ""

    again = await place.take(studio(place, journal, A))
    assert (again.task_id, again.collected) == (of_a.id, True)
    recovered = await place.recover(studio(place, journal, A), external_id)
    assert recovered.task_id == of_a.id

    again = await place.take(studio(place, journal, B))
    assert (again.task_id, again.collected) == (of_b.id, True)
    recovered = await place.recover(studio(place, journal, B), external_id)
    assert recovered.task_id == of_b.id
    assert place.state.creates_accepted == 2


async def test_a_renewed_key_of_the_account_collects_what_the_old_one_bought(place: Stage) -> None:
    journal = place.journal()
    first = await place.take(studio(place, journal, A))
    again = await place.take(studio(place, journal, RENEWED))
    assert (again.task_id, again.collected) == (first.task_id, True)
    assert place.state.creates_accepted == 1


async def test_where_the_look_fails_what_is_on_the_disk_is_handed_out(place: Stage) -> None:
    journal = place.journal()
    first = await place.take(studio(place, journal, A))
    place.state.faults[:] = [Fault("lookup", "error_500_before", 99)]
    again = await place.take(studio(place, journal, RENEWED))
    assert (again.task_id, again.collected) == (first.task_id, True)
    assert video(again) == video(first)


async def test_another_account_does_not_show_the_task_and_nothing_is_bought(place: Stage) -> None:
    journal = place.journal()
    first = await place.take(studio(place, journal, A))
    again = await place.take(studio(place, journal, B))
    assert (again.task_id, again.collected) == (first.task_id, True), "it is on the disk, and paid for"
    assert place.state.billed("account b") == []
