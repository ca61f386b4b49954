"""Doubts are kept until they are settled, and nothing about a purchase depends on luck."""

from __future__ import annotations

from pathlib import Path

import pytest

from kling_takes.apis import errors, outcomes
from kling_takes.apis.journal import Journal
from kling_takes.apis.settings import load_settings
from kling_takes.apis.studio import Studio
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import TABLE, only_row
from kling_takes.tests.stage import FAST, Trigger, stage

FOR_EVER = 1e9


def spent(journal: Journal) -> float:
    return sum(journal.spent_today(practice=practice, day_start=0.0) for practice in (False, True))


@pytest.mark.parametrize("kind", ["make_then_reset", "html_502_after_make", "truncated_json"])
async def test_a_lost_reply_is_looked_up_before_anything_is_sent_again(tmp_path: Path, kind: str) -> None:
    async with stage(tmp_path, faults=[Fault("create", kind)]) as s:
        await s.take(s.studio())
        assert s.state.creates_received == 1


async def test_a_run_in_doubt_is_looked_up_by_the_next_before_anything_is_sent_again(tmp_path: Path) -> None:
    faults = [Fault("create", "make_then_reset"), Fault("lookup", "error_500_before", times=FAST.read_tries)]
    async with stage(tmp_path, faults=faults) as s:
        studio = s.studio()
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        assert (await s.take(studio)).collected
        assert s.state.creates_received == 1


async def test_a_refusal_after_a_lost_reply_leaves_the_doubt_in_the_journal(tmp_path: Path) -> None:
    """The account runs empty between the two sends; the first may have been carried out, and was."""
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        s.state.lookup_blind_seconds = FOR_EVER

        def run_empty() -> None:
            s.state.refuse_code = 1102

        journal = s.journal()
        studio = s.studio(journal)
        s.heard = Trigger("reply was lost", run_empty)
        with pytest.raises(errors.AccountRefused):
            await s.take(studio)
        assert only_row(journal).state == "prepared"
        assert spent(journal) == pytest.approx(0.21)
        s.state.lookup_blind_seconds = 0.0
        assert (await s.take(studio)).collected
        assert s.state.creates_received == 2
        assert len(s.committed) == 1
        assert spent(journal) == pytest.approx(0.21)


async def test_a_refusal_does_not_settle_the_doubt_of_an_earlier_run(tmp_path: Path) -> None:
    """The first run bought it and never learned of it; the second is refused before it can see the task."""
    faults = [Fault("create", "make_then_reset"), Fault("lookup", "error_500_before", times=FAST.read_tries)]
    async with stage(tmp_path, faults=faults) as s:
        journal = s.journal()
        studio = s.studio(journal)
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)
        s.state.lookup_blind_seconds = FOR_EVER
        s.state.refuse_code = 1102
        with pytest.raises(errors.AccountRefused) as caught:
            await s.take(studio)
        assert "othing is paid" not in str(caught.value)
        assert only_row(journal).state == "prepared"
        assert spent(journal) == pytest.approx(0.21)


async def test_a_purchase_of_an_earlier_run_is_our_own_and_counts_towards_the_limit(tmp_path: Path) -> None:
    """The first run bought it and never learned of it; the second is told that it exists."""
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        s.state.lookup_blind_seconds = FOR_EVER
        journal = s.journal()
        studio = s.studio(journal)
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio)

        def see() -> None:
            s.state.lookup_blind_seconds = 0.0

        s.heard = Trigger("was bought before", see)
        assert (await s.take(studio)).collected
        row = only_row(journal)
        assert (row.state, row.adopted) == ("delivered", 0)
        assert spent(journal) == pytest.approx(0.21)


async def test_a_purchase_of_another_machine_does_not_count_towards_our_limit(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("one")))
        journal = s.journal("two")
        await s.take(s.studio(journal))
        assert only_row(journal).adopted == 1
        assert spent(journal) == 0.0


async def test_what_a_model_can_not_do_is_refused_before_anything_is_written_or_sent(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        with pytest.raises(errors.InvalidInput) as caught:
            await s.take(s.studio(journal), duration="7")
        assert caught.value.widget == "duration"
        assert not s.state.requests
        assert not journal.path.exists()


async def test_no_request_for_a_video_carries_the_key(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("download", "expired_link")]) as s:
        await s.take(s.studio())
        assert s.state.downloads == 2
        assert not s.state.cdn_saw_authorization


async def test_practice_has_a_journal_of_its_own(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        user = tmp_path / "user"
        settings = load_settings({"KLING_BACKEND": "simulator"}, user, simulator_url=s.url)
        studio = Studio.open(settings, TABLE, clock=s.clock, policy=FAST)
        try:
            assert user not in studio.context.journal.path.parents
            await s.take(studio)
            assert not (user / "journal.sqlite3").exists()
        finally:
            studio.context.journal.close()


async def test_a_task_that_exists_is_collected_however_kling_words_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as s:
        first = await s.take(s.studio(s.journal("one")))
        monkeypatch.setattr(outcomes, "is_already_exists", lambda code, message: False)
        second = await s.take(s.studio(s.journal("two")))
        assert second.collected
        assert second.task_id == first.task_id
        assert len(s.committed) == 1
