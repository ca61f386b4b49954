"""The protocol against a real server: whatever breaks, one take is billed once and delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors
from kling_takes.apis.take import external_task_id
from kling_takes.simulator.faults import Fault
from kling_takes.tests.stage import stage, video


async def test_a_take_is_bought_and_delivered(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        delivered = await s.take(s.studio())
        assert not delivered.collected
        assert video(delivered).read_bytes()[4:8] == b"ftyp"
        assert delivered.task_id == s.committed[0].id
        assert delivered.duration
        assert float(delivered.duration) > 0
        assert delivered.deduction.units == pytest.approx(1.5)
        assert len(s.committed) == 1


async def test_the_same_take_again_is_collected_without_asking_kling(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first = await s.take(studio)
        requests = len(s.state.requests)
        again = await s.take(studio)
        assert again.collected
        assert video(again) == video(first)
        assert len(s.state.requests) == requests
        assert "nothing paid" in s.heard.lines[-1]


async def test_another_number_is_another_take(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        await s.take(studio, take=0)
        await s.take(studio, take=1)
        assert len(s.committed) == 2


async def test_a_delivered_take_is_downloaded_again_when_its_file_is_gone(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first = await s.take(studio)
        video(first).unlink()
        again = await s.take(studio)
        assert again.collected
        assert video(again).is_file()
        assert s.state.creates_received == 1


@pytest.mark.parametrize(
    "kind",
    [
        "make_then_reset",
        "html_502_after_make",
        "truncated_json",
        "reset_before_headers",
        "error_500_before",
        "hang",
    ],
)
async def test_a_lost_create_reply_is_looked_up_and_paid_once(tmp_path: Path, kind: str) -> None:
    async with stage(tmp_path, faults=[Fault("create", kind, seconds=5)]) as s:
        delivered = await s.take(s.studio())
        assert len(s.committed) == 1
        assert delivered.task_id == s.committed[0].id
        assert not delivered.collected
        assert s.state.lookups >= 1


async def test_a_create_cut_off_in_the_middle_of_the_request_is_sent_again_under_the_same_id(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, faults=[Fault("create", "reset_after_bytes", at=20)]) as s:
        await s.take(s.studio())
        assert len(s.committed) == 1


async def test_a_lookup_that_is_blind_for_a_while_does_not_lead_to_a_second_purchase(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")], lookup_blind_seconds=40) as s:
        delivered = await s.take(s.studio())
        assert len(s.committed) == 1
        assert delivered.task_id == s.committed[0].id
        assert s.state.creates_received == 2  # the second one was told that it exists


async def test_an_outcome_that_stays_unknown_is_told_and_collected_by_the_next_run(tmp_path: Path) -> None:
    async with stage(tmp_path, lookup_blind_seconds=100_000) as s:
        s.state.faults.append(Fault("create", "make_then_reset"))
        studio = s.studio()
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await s.take(studio)
        assert "bought before and does not show it yet" in str(caught.value)
        assert "Queue the same take again" in str(caught.value)
        s.state.lookup_blind_seconds = 0
        delivered = await s.take(studio)
        assert delivered.collected
        assert len(s.committed) == 1


async def test_lookups_that_fail_in_passing_never_lead_to_another_create(tmp_path: Path) -> None:
    faults = [Fault("create", "make_then_reset"), Fault("lookup", "error_500_before", times=50)]
    async with stage(tmp_path, faults=faults) as s:
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(s.studio())
        assert s.state.creates_received == 1
        s.state.faults.clear()
        assert (await s.take(s.studio())).collected
        assert len(s.committed) == 1


async def test_a_lookup_that_is_refused_on_the_way_is_repeated_and_never_says_that_nothing_was_paid(
    tmp_path: Path,
) -> None:
    lost = Fault("create", "make_then_reset")
    async with stage(tmp_path, faults=[lost, Fault("lookup", "html_403", times=3)]) as s:
        assert not (await s.take(s.studio())).collected
    async with stage(tmp_path / "2", faults=[lost, Fault("lookup", "html_403", times=50)]) as s:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await s.take(s.studio())
        assert "nothing is paid" not in str(caught.value)
        assert s.state.creates_received == 1


async def test_the_id_depends_on_the_take_the_attempt_and_the_scope_only() -> None:
    assert external_task_id("a" * 64, 1) == external_task_id("a" * 64, 1)
    ids = {external_task_id("a" * 64, 1), external_task_id("a" * 64, 2), external_task_id("a" * 64, 1, "f")}
    assert len(ids) == 3


async def test_the_journal_and_the_files_hold_no_key(tmp_path: Path, canary: str) -> None:
    async with stage(tmp_path, api_keys={canary: "mine"}) as s:
        await s.take(s.studio(settings=s.settings(key=canary)))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert canary.encode() not in file.read_bytes()
