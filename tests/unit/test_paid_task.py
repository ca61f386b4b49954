"""The protocol against a real server: whatever breaks, one take is billed once and delivered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors, paid_task
from kling_takes.apis.client import within
from kling_takes.apis.journal import OPEN_STATES, Journal, Purchase, Row
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.models import ModelTable
from kling_takes.apis.settings import load_settings
from kling_takes.apis.slots import SlotLine
from kling_takes.apis.take import external_task_id
from kling_takes.simulator.faults import Fault
from kling_takes.tests.stage import Listener, stage


async def test_a_take_is_bought_and_delivered(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        delivered = await s.take(s.studio())
        assert not delivered.collected
        assert delivered.path.read_bytes()[4:8] == b"ftyp"
        assert delivered.task_id == s.committed[0].id
        assert delivered.duration
        assert float(delivered.duration) > 0
        assert delivered.deducted_units == pytest.approx(1.5)
        assert len(s.committed) == 1


async def test_the_same_take_again_is_collected_without_asking_kling(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first = await s.take(studio)
        requests = len(s.state.requests)
        again = await s.take(studio)
        assert again.collected
        assert again.path == first.path
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
        first.path.unlink()
        again = await s.take(studio)
        assert again.collected
        assert again.path.is_file()
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
    monkeypatch.setattr(paid_task, "take_lock", lambda _account, _take: asyncio.Lock())
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


async def test_a_failed_task_says_so_and_the_next_run_starts_another_attempt(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        with pytest.raises(errors.TaskFailed) as caught:
            await s.take(studio, "a storm [fail]")
        assert "not billed" in str(caught.value)
        assert "risk control" in str(caught.value)
        with pytest.raises(errors.TaskFailed):
            await s.take(studio, "a storm [fail]")
        assert s.state.creates_accepted == 2
        ids = {task.external_task_id for task in s.state.tasks.values()}
        assert len(ids) == 2


async def test_failed_attempts_of_another_machine_are_passed_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for _ in range(3):
            with pytest.raises(errors.TaskFailed):
                await s.take(s.studio(s.journal("one")), "a storm [fail]")
        with pytest.raises(errors.TaskFailed):
            await s.take(s.studio(s.journal("two")), "a storm [fail]")
        assert s.state.creates_accepted == 4


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
        assert s.clock.now - 1_795_348_800.0 <= 120


async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "paced", retry_after="77")]) as s:
        began = s.clock.now
        await s.take(s.studio())
        assert s.committed[0].created_at - began >= 77


async def test_polls_that_fail_are_repeated(tmp_path: Path) -> None:
    faults = [
        Fault("query", "reset_before_headers", times=2),
        Fault("query", "truncated_json"),
        Fault("query", "html_502_after_make"),
        Fault("query", "paced"),
        Fault("query", "hang", seconds=2),
    ]
    async with stage(tmp_path, faults=faults) as s:
        await s.take(s.studio())
        assert len(s.committed) == 1
        assert not s.state.faults


async def test_the_deadline_ends_the_waiting_and_not_the_task(tmp_path: Path) -> None:
    async with stage(tmp_path, processing_seconds=3600) as s:
        settings = s.settings(KLING_MAX_WAIT_MINUTES="5")
        with pytest.raises(errors.StillRunning) as caught:
            await s.take(s.studio(settings=settings))
        assert caught.value.task_id == s.committed[0].id
        assert caught.value.task_id in str(caught.value)
        s.clock.now += 3600
        assert (await s.take(s.studio(settings=settings))).collected
        assert s.state.creates_received == 1


async def test_a_video_that_kling_has_cleared_is_not_bought_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        first = await s.take(studio)
        first.path.unlink()
        s.clock.now += 31 * 86400
        with pytest.raises(errors.TaskGone) as caught:
            await s.take(studio)
        assert "another number" in str(caught.value)
        assert s.state.creates_received == 1


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


async def test_a_take_of_another_machine_is_collected_beyond_the_daily_limit(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("one")))
        limited = s.settings(KLING_MAX_USD_PER_DAY="0.01")
        assert (await s.take(s.studio(s.journal("two"), settings=limited))).collected


async def test_strangers_on_a_shared_account_do_not_meet(tmp_path: Path) -> None:
    keys = {"key-of-alice": "gateway", "key-of-bob": "gateway"}
    async with stage(tmp_path, api_keys=keys) as s:
        alice = s.studio(s.journal("alice"), settings=s.settings(key="key-of-alice"))
        bob = s.studio(s.journal("bob"), settings=s.settings(key="key-of-bob"))
        first, second = await s.take(alice), await s.take(bob)
        assert first.task_id != second.task_id
        assert len(s.committed) == 2


async def test_recover_finds_a_task_by_either_id_and_of_any_product(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        omni = s.state.seed_task("omni-video", external_task_id="mine-1")
        turbo = s.state.seed_task("text2video", "standard")
        for wanted, task in ((omni.id, omni), ("mine-1", omni), (turbo.id, turbo)):
            got = await s.studio().recover(
                wanted, product=None, files=tmp_path / "files", reporter=Listener()
            )
            assert got.task_id == task.id
            assert got.path.is_file()
            assert got.collected
        with pytest.raises(errors.TaskGone):
            await s.studio().recover("123456", product=None, files=tmp_path, reporter=Listener())
        with pytest.raises(errors.InvalidInput):
            await s.studio().recover("../etc", product=None, files=tmp_path, reporter=Listener())


async def test_the_journal_and_the_files_hold_no_key(tmp_path: Path, canary: str) -> None:
    async with stage(tmp_path, api_keys={canary: "mine"}) as s:
        await s.take(s.studio(settings=s.settings(key=canary)))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert canary.encode() not in file.read_bytes()


class TwinAhead(Journal):
    """A journal into which another process writes the same purchase just before us."""

    def prepare(self, purchase: Purchase, **named: Any) -> Row:
        super().prepare(purchase, **named)
        return super().prepare(purchase, **named)


class TwinBehind(Journal):
    """A journal into which another process writes the same purchase just after us."""

    def prepare(self, purchase: Purchase, **named: Any) -> Row:
        row = super().prepare(purchase, **named)
        super().prepare(purchase, **named)
        return row


async def test_of_two_processes_with_the_same_take_at_comfy_org_only_one_sends(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        settings = load_settings(
            {}, tmp_path / "user", comfy_token="practice-comfy-token", comfy_api_base=s.url
        )
        with pytest.raises(errors.OutcomeUnknown, match="Another process"):
            await s.take(s.studio(TwinAhead(tmp_path / "twins.sqlite3"), settings=settings))
        assert s.state.creates_received == 0


@pytest.mark.parametrize(("journal", "adopted"), [(Journal, 1), (TwinBehind, 0)])
async def test_a_take_counts_as_paid_elsewhere_only_where_no_process_here_has_sent_it(
    tmp_path: Path, journal: type[Journal], adopted: int
) -> None:
    async with stage(tmp_path) as s:
        await s.take(s.studio(s.journal("elsewhere")))
        here = journal(tmp_path / "here.sqlite3")
        studio = s.studio(here)
        delivered = await s.take(studio)
        row = here.find_task(studio.settings.account, delivered.task_id)
        assert row is not None
        assert row.adopted == adopted
        assert len(s.committed) == 1


class CutOffInDoubt(Journal):
    """A journal whose caller is cancelled as soon as the doubt is written down."""

    def in_doubt(self, row_id: int, reason: str) -> None:
        super().in_doubt(row_id, reason)
        raise asyncio.CancelledError


async def test_a_doubt_is_shown_before_the_journal_says_that_it_was_told(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("create", "make_then_reset")]) as s:
        settings = load_settings(
            {}, tmp_path / "user", comfy_token="practice-comfy-token", comfy_api_base=s.url
        )
        with pytest.raises(asyncio.CancelledError):
            await s.take(s.studio(CutOffInDoubt(tmp_path / "cut.sqlite3"), settings=settings))
        assert any("Comfy.org may or may not have bought it" in line for line in s.heard.lines)


async def test_a_refusal_says_nothing_about_the_create_of_another_process(tmp_path: Path) -> None:
    async with stage(tmp_path, refuse_code=1102) as s:
        journal = TwinBehind(tmp_path / "twins.sqlite3")
        studio = s.studio(journal)
        with pytest.raises(errors.AccountRefused) as caught:
            await s.take(studio)
        assert caught.value.code == 1102
        external_id = s.state.requests[0].body_json_without_media["external_task_id"]
        row = journal.find_task(studio.settings.account, external_id)
        assert row is not None
        assert row.state in OPEN_STATES


async def test_a_cancel_that_comes_together_with_the_answer_is_not_lost() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        return await answer

    run = asyncio.ensure_future(within(60, work()))
    for _ in range(3):
        await asyncio.sleep(0)
    answer.set_result("made")
    await asyncio.sleep(0)  # the inner task has its result, the run has not yet heard of it
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_run_cancelled_at_any_turn_of_a_pause_in_line_ends() -> None:
    for turns in range(8):
        line = SlotLine()
        run = asyncio.ensure_future(line.pause(0.0, asyncio.sleep))
        for _ in range(turns):
            await asyncio.sleep(0)
        if run.cancel():
            with pytest.raises(asyncio.CancelledError):
                await run


async def test_the_id_depends_on_the_take_the_attempt_and_the_scope_only() -> None:
    assert external_task_id("a" * 64, 1) == external_task_id("a" * 64, 1)
    ids = {external_task_id("a" * 64, 1), external_task_id("a" * 64, 2), external_task_id("a" * 64, 1, "f")}
    assert len(ids) == 3


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


async def test_a_video_that_is_already_here_is_not_fetched_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        foreign = s.state.seed_task("omni-video")
        for _ in range(2):
            files, listener = tmp_path / "files", Listener()
            await s.studio().recover(foreign.id, product=None, files=files, reporter=listener)
        assert s.state.downloads == 1


def moved_to_the_new_standard(folder: Path) -> ModelTable:
    file = folder / "models.json"
    file.write_text('{"models": {"kling-v2-5-turbo": {"preferred": "standard"}}}')
    return load_table(file)


async def test_a_model_that_moves_to_the_other_dialect_keeps_its_takes(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        before, after = s.studio(s.journal("one")), s.studio(s.journal("two"))
        before.table = moved_to_the_new_standard(tmp_path)
        bought = await s.take(before)
        bought.path.unlink()
        for _ in range(2):
            collected = await s.take(after)
            assert collected.collected
            collected.path.unlink()
        assert collected.task_id == bought.task_id
        assert {task.dialect for task in s.committed} == {"standard"}


async def test_an_attempt_after_one_that_failed_in_the_other_dialect_is_made_in_this_one(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        before, after = s.studio(s.journal("one")), s.studio(s.journal("two"))
        before.table = moved_to_the_new_standard(tmp_path)
        for studio in (before, after):
            with pytest.raises(errors.TaskFailed):
                await s.take(studio, "a storm [fail]")
        assert [task.dialect for task in s.state.tasks.values()] == ["standard", "legacy"]


async def test_the_status_is_the_word_of_the_dialect_that_made_the_video(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        words = {"legacy": "succeed", "standard": "succeeded"}
        for dialect, product in (("legacy", "omni-video"), ("standard", "text2video")):
            task = s.state.seed_task(product, dialect)
            files, listener = tmp_path / "files", Listener()
            got = await s.studio().recover(task.id, product=None, files=files, reporter=listener)
            assert got.status == words[dialect]
        studio = s.studio()
        studio.table = moved_to_the_new_standard(tmp_path)
        for _ in range(2):  # the second time the video is here, and Kling is not asked
            assert (await s.take(studio)).status == "succeeded"
