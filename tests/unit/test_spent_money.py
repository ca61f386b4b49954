"""The day's limit sees what Kling takes, in units or money, and never less than what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.deduction import Deduction
from kling_takes.tests.billing import bills
from kling_takes.tests.builders import only_row, prepare, purchase
from kling_takes.tests.paper_comfyui import WORDS, Artist
from kling_takes.tests.stage import Stage, stage

#: a video of five seconds in each dialect, and its list price in USD
LEGACY, STANDARD = ("kling-v2-5-turbo", 0.21), ("kling-3.0-turbo", 0.56)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal.sqlite3")
    yield made
    made.close()


async def bought_until_refused(place: Stage, model: str, limit: float, takes: int = 6) -> int:
    """How many of these takes are bought before the limit refuses one."""
    settings = place.settings(KLING_MAX_USD_PER_DAY=f"{limit:.2f}")
    studio = place.studio(settings=settings)
    for number in range(takes):
        try:
            await place.take(studio, take=number, model_name=model)
        except errors.SpendingLimitReached:
            return number
    return takes


@pytest.mark.parametrize(("model", "price"), [LEGACY, STANDARD])
async def test_six_takes_paid_in_cash_do_not_pass_a_limit_of_two(
    tmp_path: Path, model: str, price: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="0", cash=f"{price}")
    async with stage(tmp_path) as s:
        assert await bought_until_refused(s, model, 2.4 * price) == 2
        assert len(s.committed) == 2


async def test_cash_above_the_estimate_counts_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills(monkeypatch, units="0", cash="0.60")
    async with stage(tmp_path) as s:
        assert await bought_until_refused(s, LEGACY[0], 0.80) == 1


async def test_units_and_cash_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bills(monkeypatch, units="1", cash="0.30")
    async with stage(tmp_path) as s:
        journal = s.journal()
        await s.take(s.studio(journal))
        assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(0.44)


@pytest.mark.parametrize(
    ("region", "model", "currency", "kept", "spent"),
    [
        ("global", LEGACY, "", "USD", 1.50),
        ("china", LEGACY, "", "CNY", LEGACY[1]),
        ("global", STANDARD, "", "USD", 1.50),
        ("china", STANDARD, "", "CNY", STANDARD[1]),
        ("global", STANDARD, "CNY", "CNY", STANDARD[1]),
        ("china", STANDARD, "USD", "USD", 1.50),
    ],
)
async def test_money_in_another_currency_leaves_the_estimate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    region: str,
    model: tuple[str, float],
    currency: str,
    kept: str,
    spent: float,
) -> None:
    bills(monkeypatch, units="0", cash="1.5", currency=currency)
    async with stage(tmp_path) as s:
        journal = s.journal()
        delivered = await s.take(
            s.studio(journal, settings=s.settings(KLING_REGION=region)), model_name=model[0]
        )
        assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(spent)
        assert only_row(journal).deduction == delivered.deduction == Deduction(0.0, 1.5, kept)


@pytest.mark.parametrize(
    ("deduction", "spent_usd", "counted"),
    [
        (Deduction(), None, 0.35),
        (Deduction(0.0), None, 0.35),
        (Deduction(0.0, 0.0, "USD"), 0.0, 0.35),
        (Deduction(5.0), 0.70, 0.70),
        (Deduction(5.0), None, 0.70),  # as a row of version 0.1.0 has it
        (Deduction(0.0, 0.20, "USD"), 0.20, 0.20),
        (Deduction(0.5, 3.0, "CNY"), None, 0.35),
    ],
)
def test_a_zero_never_stands_for_an_estimate(
    journal: Journal, deduction: Deduction, spent_usd: float | None, counted: float
) -> None:
    row = prepare(journal)
    journal.submitted(row.row_id, "7", now=1.0, dialect="legacy")
    journal.succeeded(row.row_id, now=2.0, outputs=[], deduction=deduction, spent_usd=spent_usd)
    assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(counted)


def test_what_is_told_once_is_not_lost_by_an_answer_that_says_nothing(journal: Journal) -> None:
    row = prepare(journal)
    journal.submitted(row.row_id, "7", now=1.0, dialect="legacy")
    told = Deduction(0.0, 0.9, "USD")
    journal.succeeded(row.row_id, now=2.0, outputs=[], deduction=told, spent_usd=0.9)
    journal.succeeded(row.row_id, now=3.0, outputs=[], deduction=Deduction())
    found = journal.find("kling:global", "t1")
    assert found is not None
    assert found.deduction == told
    assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(0.9)


def test_an_estimate_that_is_not_known_leaves_what_was_taken(journal: Journal) -> None:
    row = prepare(journal, purchase(estimated_units=None, estimated_usd=None))
    journal.submitted(row.row_id, "7", now=1.0, dialect="legacy")
    journal.succeeded(row.row_id, now=2.0, outputs=[], deduction=Deduction(3.0), spent_usd=0.42)
    assert journal.spent_today(practice=False, day_start=0.0) == pytest.approx(0.42)


@pytest.mark.parametrize(
    ("units", "cash", "said"), [("0", "0.21", "$0.21"), ("1.5", "0.1", "1.5 units and $0.10")]
)
async def test_the_node_says_what_kling_took(
    artist: Artist, kling: Any, monkeypatch: pytest.MonkeyPatch, units: str, cash: str, said: str
) -> None:
    bills(monkeypatch, units=units, cash=cash)
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert f"Kling deducted {said}." in artist.texts[-1]
