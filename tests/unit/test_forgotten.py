"""A take that Kling says exists and never shows: not spent from here, and with a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import only_row, prepare
from kling_takes.tests.stage import Stage, Trigger, stage

FOR_EVER = 1e9


async def unseen(place: Stage, journal: Journal) -> str:
    """What a run says that can't be shown what exists."""
    with pytest.raises(errors.OutcomeUnknown, match="was bought before") as caught:
        await place.take(place.studio(journal))
    return str(caught.value)


async def bought_elsewhere_and_hidden(place: Stage) -> None:
    await place.take(place.studio(place.journal("another machine")))
    place.state.lookup_blind_seconds = FOR_EVER


def spent(journal: Journal) -> float:
    return journal.spent_today(practice=False, day_start=0.0)


async def test_it_counts_as_adopted_and_not_as_spent(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await bought_elsewhere_and_hidden(s)
        journal = s.journal()
        for times in (1, 2, 3):
            await unseen(s, journal)
            assert (only_row(journal).adopted, only_row(journal).unseen) == (1, times)
            assert spent(journal) == 0.0
        assert len(s.committed) == 1


async def test_the_second_time_another_number_is_named_and_buys(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await bought_elsewhere_and_hidden(s)
        journal = s.journal()
        assert "Queue the same take again in a few minutes" in await unseen(s, journal)
        for _ in range(2):
            again = await unseen(s, journal)
            assert "older than what Kling keeps" in again
            assert "Choose another number for take" in again
        assert not (await s.take(s.studio(journal), take=1)).collected
        assert spent(journal) == pytest.approx(0.21)


async def test_shown_after_all_it_is_collected_and_still_not_spent(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await bought_elsewhere_and_hidden(s)
        journal = s.journal()
        await unseen(s, journal)
        s.state.lookup_blind_seconds = 0.0
        assert (await s.take(s.studio(journal))).collected
        row = only_row(journal)
        assert (row.state, row.adopted, row.unseen) == ("delivered", 1, 0)
        assert spent(journal) == 0.0


async def test_one_that_our_own_lost_create_may_have_made_is_spent_and_never_called_forgotten(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        s.state.lookup_blind_seconds = FOR_EVER
        journal = s.journal()
        for _ in range(3):
            assert "older than what Kling keeps" not in await unseen(s, journal)
            assert only_row(journal).adopted == 0
            assert spent(journal) == pytest.approx(0.21)


async def test_a_create_after_it_counts_until_its_outcome_is_known(tmp_path: Path) -> None:
    """Kling may forget the id between two runs, and then a create buys: what is on its way is counted."""
    async with stage(tmp_path) as s:
        await bought_elsewhere_and_hidden(s)
        journal = s.journal()
        await unseen(s, journal)
        s.state._external.clear()
        s.state.faults.append(Fault("create", "make_then_reset"))
        mute = Fault("lookup", "error_500_before", times=50)
        s.heard = Trigger("reply was lost", lambda: s.state.faults.append(mute))
        with pytest.raises(errors.OutcomeUnknown, match="not known whether this take was bought"):
            await s.take(s.studio(journal))
        assert spent(journal) == pytest.approx(0.21)


def test_another_process_that_sends_meanwhile_is_not_called_a_stranger(tmp_path: Path) -> None:
    ours, theirs = (Journal(tmp_path / "journal.sqlite3") for _ in range(2))
    row = prepare(ours)
    prepare(theirs)
    ours.not_shown(row.row_id)
    found = only_row(ours)
    assert (found.sends, found.adopted) == (2, 0)
    assert spent(ours) == pytest.approx(0.35)
    ours.close()
    theirs.close()
