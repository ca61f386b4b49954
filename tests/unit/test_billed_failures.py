"""A task that failed and was billed all the same: said, counted, and never bought again by the same take."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.apis.studio import Studio
from kling_takes.simulator.faults import Fault
from kling_takes.tests.billing import bills
from kling_takes.tests.builders import only_row
from kling_takes.tests.stage import Stage, stage

#: a model of each dialect
MODELS = ("kling-v2-5-turbo", "kling-3.0-turbo")
STORM = "a storm [fail]"


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def failure(place: Stage, studio: Studio, model: str, take: int = 0) -> errors.TaskFailed:
    with pytest.raises(errors.TaskFailed) as caught:
        await place.take(studio, STORM, take=take, model_name=model)
    return caught.value


def spent(journal: Journal) -> float:
    return journal.spent_today(practice=False, day_start=0.0)


async def test_it_is_said_recorded_and_counted(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="1.5", cash="0.1")
    async with stage(tmp_path) as s:
        journal = s.journal()
        error = await failure(s, s.studio(journal), model)
        (task,) = s.state.tasks.values()
        assert "deducted 1.5 units and $0.10 for it all the same" in str(error)
        assert "choose another number for take" in str(error)
        assert "not billed" not in str(error)
        assert error.task_id == task.id
        row = only_row(journal)
        assert (row.state, row.deduction) == ("failed", Deduction(1.5, 0.1, "USD"))
        assert spent(journal) == pytest.approx(0.31)


async def test_the_same_take_is_not_bought_again_also_after_a_restart(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="1.5")
    async with stage(tmp_path) as s:
        first = await failure(s, s.studio(s.journal()), model)
        requests = len(s.state.requests)
        for studio in (s.studio(s.journal()), s.studio(s.journal())):
            again = await failure(s, studio, model)
            assert (again.task_id, str(again)) == (first.task_id, str(first))
        assert len(s.state.requests) == requests


async def test_another_number_buys_once_more(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, cash="0.21")
    async with stage(tmp_path) as s:
        studio = s.studio()
        await failure(s, studio, model)
        await failure(s, studio, model, take=1)
        assert s.state.creates_accepted == 2


async def test_another_machine_finds_it_at_kling_and_does_not_buy_either(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="0", cash="0.21")
    async with stage(tmp_path) as s:
        first = await failure(s, s.studio(s.journal("one")), model)
        two = s.journal("two")
        for _ in range(2):
            found = await failure(s, s.studio(two), model)
            assert "deducted $0.21 for it all the same" in str(found)
            assert found.task_id == first.task_id
        assert s.state.creates_accepted == 1
        row = only_row(two)
        assert (row.state, row.adopted) == ("failed", 1)
        assert spent(two) == 0.0  # it was paid, and not from here


async def test_one_whose_reply_was_lost_is_found_failed_and_billed(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that bought it ends in doubt; the next finds the task when it has failed."""
    bills(monkeypatch, units="1.5")
    lost = [Fault("create", "make_then_reset"), Fault("lookup", "error_500_before", times=5)]
    async with stage(tmp_path, faults=lost) as s:
        journal = s.journal()
        studio = s.studio(journal)
        with pytest.raises(errors.OutcomeUnknown):
            await s.take(studio, STORM, model_name=model)
        s.clock.now += 3600
        await failure(s, studio, model)
        await failure(s, studio, model)
        assert s.state.creates_received == 1
        assert only_row(journal).is_billed_failure
        assert spent(journal) == pytest.approx(0.21)


async def test_it_counts_in_the_limit_of_the_day(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="0", cash="3.0")
    async with stage(tmp_path) as s:
        studio = s.studio(settings=s.settings(KLING_MAX_USD_PER_DAY="3.2"))
        await failure(s, studio, model)
        with pytest.raises(errors.SpendingLimitReached, match=r"\$3\.00 of today's"):
            await s.take(studio, STORM, take=1, model_name=model)
        assert s.state.creates_received == 1


async def test_one_billed_in_another_currency_counts_as_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="0", cash="1.5")
    async with stage(tmp_path) as s:
        in_china = s.settings(KLING_REGION="china")
        for name in ("buys", "finds"):
            journal = s.journal(name)
            error = await failure(s, s.studio(journal, settings=in_china), MODELS[0])
            assert "deducted ¥1.50" in str(error)
            row = only_row(journal)
            assert (row.deduction.currency, row.spent_usd) == ("CNY", None)
            assert spent(journal) == pytest.approx(0.21 if name == "buys" else 0.0)


@pytest.mark.parametrize("word", ["0", "", "none"])
async def test_a_failure_that_names_no_deduction_is_not_billed_and_can_be_tried_again(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    bills(monkeypatch, units=word, cash=word)
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)
        assert "not billed" in str(await failure(s, studio, model))
        await failure(s, studio, model)
        assert s.state.creates_accepted == 2
        assert spent(journal) == 0.0


async def test_it_is_not_bought_under_another_account_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="1.5")
    async with stage(tmp_path) as s:
        journal = s.journal()
        await failure(s, s.studio(journal), MODELS[0])
        with pytest.raises(errors.BoughtElsewhere):
            await s.take(s.studio(journal, settings=s.comfy_settings()), STORM)
        assert s.state.creates_received == 1


async def test_recover_says_it_too(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bills(monkeypatch, units="1.5")
    async with stage(tmp_path) as s:
        error = await failure(s, s.studio(s.journal("one")), model)
        for name in ("one", "elsewhere"):
            with pytest.raises(errors.TaskFailed, match=r"deducted 1\.5 units for it all the same"):
                await s.recover(s.studio(s.journal(name)), str(error.task_id))


async def test_of_two_nodes_with_the_same_take_the_second_does_not_buy(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="1.5")
    async with stage(tmp_path) as s:
        studio = s.studio()
        runs = [s.take(studio, STORM, model_name=model) for _ in range(2)]
        ends: list[Any] = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(end) for end in ends] == [errors.TaskFailed] * 2
        assert s.state.creates_received == 1
