"""Kling's own bill against the journal, on an account that is wrong in every way that costs money."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.audit import Audit
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.apis.studio import Studio
from kling_takes.simulator.billing import LIST_MOST
from kling_takes.simulator.money import Payment
from kling_takes.simulator.task import Ending, SimTask
from kling_takes.tests.builders import prepare, purchase
from kling_takes.tests.stage import Stage, stage

HOUR = 3600.0
DAY = 24 * HOUR


async def audited(s: Stage, studio: Studio) -> Audit:
    """Return the audit of the last ten days, as it is a day later: by then the bill is complete."""
    s.clock.now += DAY
    return await studio.audit(s.clock.now - 10 * DAY)


def changed(s: Stage, **changes: Any) -> None:
    """Write another last line into Kling's bill."""
    s.state.deductions[-1] = dataclasses.replace(s.state.deductions[-1], **changes)


def written(journal: Journal, s: Stage, task: SimTask, *, account: str = "", **changes: Any) -> int:
    """Write a row for a task that Kling has, as if it had been bought or found here; return its number."""
    settings, adopted = s.settings(), changes.pop("adopted", False)
    bought = purchase(
        take=task.id,
        external_task_id=None,
        account=account or settings.account,
        **{"payer": settings.credential.fingerprint(), **changes},
    )
    row = prepare(journal, bought, now=task.created_at)
    journal.submitted(row.row_id, task.id, now=task.created_at, dialect="legacy", adopted=adopted)
    return row.row_id


def made(journal: Journal, number: int, now: float, deduction: Deduction) -> None:
    """Write down that a task has succeeded."""
    journal.succeeded(number, now=now, outputs=(), deduction=deduction)


# -- what agrees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("payment", [Payment(), Payment(cash=1), Payment(cash=0.5)])
@pytest.mark.parametrize("model", ["kling-v2-6", "kling-3.0-turbo"])
async def test_takes_that_are_billed_once_agree_in_either_dialect_and_money(
    tmp_path: Path, payment: Payment, model: str
) -> None:
    async with stage(tmp_path, payment=payment) as s:
        studio = s.studio()
        for number in range(2):
            await s.take(studio, model_name=model, take=number)
        audit = await audited(s, studio)
    assert audit.agrees
    assert (len(audit.billed), audit.unknown) == (2, ())
    assert "2 tasks billed (" in audit.text()
    assert audit.text().endswith(
        ", all from here. What is from here is billed once, with the amount that Kling told."
    )
    assert ("units" in audit.text(), "$" in audit.text()) == (payment.cash < 1, payment.cash > 0)


@pytest.mark.parametrize("model", ["kling-v2-6", "kling-3.0-turbo"])
async def test_money_of_another_currency_is_compared_in_its_own(tmp_path: Path, model: str) -> None:
    """Under /v1/ no currency is named, and an account may pay in another than its region's."""
    async with stage(tmp_path, payment=Payment(cash=1, currency="CNY")) as s:
        studio = s.studio()
        await s.take(studio, model_name=model)
        audit = await audited(s, studio)
    assert audit.agrees
    assert "¥" in audit.text()


async def test_an_account_that_bought_nothing_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        audit = await s.studio().audit()
    assert audit.agrees
    assert audit.text().endswith("nothing was billed.")


async def test_a_failed_task_that_was_billed_is_one_of_ours(tmp_path: Path) -> None:
    async with stage(tmp_path, endings=[Ending("failed", billed=True)]) as s:
        studio = s.studio()
        with pytest.raises(errors.TaskFailed):
            await s.take(studio)
        audit = await audited(s, studio)
    assert audit.agrees
    assert len(audit.billed) == 1


async def test_a_failed_task_that_was_not_billed_is_missed_by_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        with pytest.raises(errors.TaskFailed):
            await s.take(studio, prompt="[fail]")
        assert (await audited(s, studio)).text().endswith("nothing was billed.")


async def test_a_price_that_two_packs_share_is_billed_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        await s.take(studio)
        changed(s, amount=1.0)
        s.state.deductions.append(dataclasses.replace(s.state.deductions[-1], amount=0.5))
        audit = await audited(s, studio)
    assert audit.agrees
    assert audit.billed[0].lines == 2


async def test_a_task_that_is_still_under_way_is_not_missed(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        written(journal, s, s.state.seed_task("text2video", status="running"))
        audit = await s.studio(journal).audit()
    assert audit == Audit(audit.since)


# -- what does not -------------------------------------------------------------------------------------


async def test_a_task_that_kling_bills_twice_is_named(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        delivered = await s.take(studio)
        await s.take(studio, take=1)
        s.state.bill(s.state.tasks[delivered.task_id])
        audit = await audited(s, studio)
    assert not audit.agrees
    assert (len(audit.twice), audit.otherwise) == (1, ())
    assert audit.twice[0].startswith(f"{delivered.task_id}: 3 units")
    assert audit.twice[0].endswith(", in 2 deductions; Kling told 1.5 units")
    assert "4.5 units), all from here. Something does not agree:\nBilled more than once" in audit.text()


async def test_a_take_that_two_tasks_paid_for_is_named(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        for attempt in (1, 2):
            task = s.state.seed_task("text2video")
            written(journal, s, task, attempt=attempt)
            take = journal.find_task(s.settings().account, task.id)
            assert take is not None
            journal.open().execute("UPDATE tasks SET take = 'one' WHERE row_id = ?", (take.row_id,))
        audit = await audited(s, s.studio(journal))
    assert not audit.agrees
    assert "for the same take as" in audit.twice[0]


async def test_a_wrong_amount_is_named_with_both(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        delivered = await s.take(studio)
        changed(s, amount=2.5)
        audit = await audited(s, studio)
    assert not audit.agrees
    assert audit.otherwise[0].startswith(f"{delivered.task_id}: 2.5 units, kling-v2-5-turbo, ")
    assert audit.otherwise[0].endswith("key “main”; Kling told 1.5 units")


async def test_money_of_another_currency_than_kling_told_is_another_amount(tmp_path: Path) -> None:
    async with stage(tmp_path, payment=Payment(cash=1)) as s:
        studio = s.studio()
        await s.take(studio, model_name="kling-3.0-turbo")
        changed(s, currency="CNY")
        assert len((await audited(s, studio)).otherwise) == 1


@pytest.mark.parametrize("told", [Deduction(), Deduction(0.0, 0.0)])
async def test_a_failed_task_that_is_billed_without_a_word_is_named(tmp_path: Path, told: Deduction) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        task = s.state.seed_task("text2video")
        number = written(journal, s, task)
        journal.failed(number, "no reason", now=s.clock.now, deduction=told)
        audit = await audited(s, s.studio(journal))
    assert not audit.agrees
    assert "the task failed, Kling told" in audit.otherwise[0]


async def test_a_task_that_nobody_here_knows_is_named_and_can_be_recovered(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        stranger = s.state.seed_task("text2video")
        studio = s.studio()
        await s.take(studio)
        audit = await audited(s, studio)
        assert audit.agrees, "the journal is this installation's, the bill is the account's"
        assert [line.split(":")[0] for line in audit.unknown] == [stranger.id]
        assert "2 tasks billed (3 units), 1 of them from here." in audit.text()
        assert (await s.recover(studio, stranger.id)).task_id == stranger.id


async def test_a_paid_take_that_the_bill_does_not_list_is_named_when_it_is_late(tmp_path: Path) -> None:
    async with stage(tmp_path, billing_late_seconds=100 * DAY) as s:
        studio = s.studio()
        delivered = await s.take(studio)
        since = s.clock.now - DAY
        early = await studio.audit(since)
        s.clock.now += 13 * HOUR
        late = await studio.audit(since)
    assert (early.agrees, early.recent, early.unlisted) == (True, 1, ())
    assert "not yet in the bill: 1." in early.text()
    assert (late.agrees, late.recent) == (False, 0)
    assert late.unlisted[0].startswith(f"{delivered.task_id}: 1.5 units")


# -- whose rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"payer": "another key"}, Deduction(1.5)),
        ({"payer": None}, Deduction(1.5)),
        ({"account": "gateway.example#1"}, Deduction(1.5)),
        ({"practice": True}, Deduction(1.5)),
        ({"adopted": True}, Deduction(1.5)),
        ({}, Deduction(0.0, 0.0)),
    ],
)
async def test_what_may_be_on_another_bill_or_on_none_is_not_missed(
    tmp_path: Path, changes: dict[str, Any], told: Deduction
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        task = s.state.seed_task("text2video")
        s.state.deductions.clear()
        made(journal, written(journal, s, task, **changes), s.clock.now, told)
        audit = await audited(s, s.studio(journal))
    assert (audit.unlisted, audit.recent, audit.elsewhere) == ((), 0, 0)


async def test_the_same_row_of_this_key_would_be_missed(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        task = s.state.seed_task("text2video")
        s.state.deductions.clear()
        made(journal, written(journal, s, task), s.clock.now, Deduction(1.5))
        assert len((await audited(s, s.studio(journal))).unlisted) == 1


async def test_rows_of_before_the_time_in_question_are_known_and_not_missed(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        await s.take(studio)
        s.state.deductions.clear()
        s.clock.now += 20 * DAY
        assert (await studio.audit(s.clock.now - 10 * DAY)).agrees


async def test_an_adopted_take_and_one_of_another_account_are_known(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        written(journal, s, s.state.seed_task("text2video"), adopted=True)
        written(journal, s, s.state.seed_task("text2video"), account="gateway.example#1")
        audit = await audited(s, s.studio(journal))
    assert (audit.agrees, audit.unknown, audit.elsewhere) == (True, (), 1)
    assert "In the record under another account: 1." in audit.text()


async def test_a_take_in_doubt_may_be_what_nobody_knows(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        prepare(journal, purchase(account=s.settings().account), now=s.clock.now)
        prepare(journal, purchase("t2", account="gateway.example#1"), now=s.clock.now)
        s.state.seed_task("text2video")
        audit = await audited(s, s.studio(journal))
    assert (audit.in_doubt, len(audit.unknown)) == (1, 1)
    assert "Takes in doubt here, which may be among them: 1." in audit.text()


async def test_a_row_of_practice_makes_no_billed_task_ours(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        written(journal, s, s.state.seed_task("text2video"), practice=True)
        assert len((await audited(s, s.studio(journal))).unknown) == 1


# -- pages -------------------------------------------------------------------------------------------


async def test_twelve_hundred_deductions_are_read_to_the_last_page(tmp_path: Path) -> None:
    async with stage(tmp_path, balance_units=10_000) as s:
        journal = s.journal()
        tasks = [s.state.seed_task("text2video") for _ in range(1200)]
        with journal.open() as connection:
            for task in tasks[:-1]:
                connection.execute(
                    "INSERT INTO tasks (account, take, attempt, task_id, state, product, dialect, model, "
                    "kind, prepared_at) VALUES (?, ?, 1, ?, 'submitted', 'p', 'legacy', 'm', 'k', ?)",
                    (s.settings().account, task.id, task.id, task.created_at),
                )
        audit = await audited(s, s.studio(journal))
        assert not s.state.refusals, "one question a second"
    assert len(audit.billed) == 1200 > 2 * LIST_MOST
    assert [line.split(":")[0] for line in audit.unknown] == [tasks[-1].id]


async def test_hundreds_of_unknown_tasks_make_a_text_of_some_pages(tmp_path: Path) -> None:
    async with stage(tmp_path, balance_units=10_000) as s:
        for _ in range(150):
            s.state.seed_task("text2video")
        audit = await audited(s, s.studio())
    assert len(audit.unknown) == 150
    assert len(audit.text().splitlines()) == 103
    assert "and 50 more" in audit.text()
