"""Equal inputs are one take, and what a model never receives makes no other one."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.journal import Journal
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.apis.plan import make_plan
from kling_takes.apis.take import external_task_id, take_id, take_number
from kling_takes.simulator.faults import Fault
from kling_takes.tests.builders import TABLE, canonical, image_request, prepare, purchase, text_request
from kling_takes.tests.paper_comfyui import WORDS, Artist
from kling_takes.tests.stage import Stage, stage

#: a model that never receives cfg_scale, and one that does, with what else the latter needs
WITHOUT, WITH = {"model_name": "kling-v2-5-turbo"}, {"model_name": "kling-v1-6"}
KITE = "a red kite over the sea"


def take_of(request: Any, number: object = 0) -> str:
    return make_plan(request, number, TABLE, "api_key").take


def before(cfg_scale: float, number: object = 0) -> str:
    """The take as version 0.1 called it."""
    return take_id(canonical(text_request(prompt=KITE, cfg_scale=cfg_scale)), number)


# -- the number ----------------------------------------------------------------------------------------

SEVEN = [7, 7.0, "7", " 7 ", "07", np.float64(7)]
ONE = [1, 1.0, True, "1"]


@pytest.mark.parametrize("given", SEVEN)
def test_a_number_is_one_however_it_is_written(given: object) -> None:
    found = take_number(given)
    assert found == 7
    assert type(found) is int


@pytest.mark.parametrize(
    "given", [1.5, "1.0", "one", "", "true", "-1", "\N{ARABIC-INDIC DIGIT ONE}", None, [1], (1,), {"take": 1}]
)
def test_anything_else_is_refused_in_a_sentence_about_take(given: object) -> None:
    with pytest.raises(errors.InvalidInput, match="is not a whole number") as caught:
        take_number(given)
    assert caught.value.widget == "take"
    assert str(caught.value).startswith("take: ")


@pytest.mark.parametrize("given", [float("nan"), float("inf"), [1] * 1000, "9" * 5000, object()])
def test_what_is_refused_is_not_repeated_at_length(given: object) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        take_number(given)
    assert len(str(caught.value)) < 200


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_every_whole_number_is_itself_and_as_a_float_the_same(number: int) -> None:
    assert take_number(number) == take_number(float(number)) == number


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_every_number_can_be_given_as_text(number: int) -> None:
    assert take_number(str(number)) == number


@pytest.mark.parametrize("given", ONE)
def test_one_number_is_one_take_in_every_spelling(given: object) -> None:
    assert take_of(text_request(), given) == take_of(text_request(), 1)


async def test_links_that_give_one_number_in_four_ways_buy_one_take(artist: Artist, kling: Any) -> None:
    results = [await nodes.KlingTextToVideoNode().api_call(**WORDS, take=given) for given in ONE]
    assert len({task_id for _, task_id, _ in results}) == 1
    assert kling.state.creates_received == 1
    await nodes.KlingTextToVideoNode().api_call(**WORDS, take="2")
    assert kling.state.creates_received == 2


@pytest.mark.parametrize("given", [1.5, "one", None, [1]])
async def test_a_link_that_gives_no_number_is_refused_before_anything_is_sent(
    artist: Artist, kling: Any, given: object
) -> None:
    with pytest.raises(errors.InvalidInput, match=r"^take: "):
        await nodes.KlingTextToVideoNode().api_call(**WORDS, take=given)
    assert not kling.state.requests


@pytest.mark.parametrize("given", [1.0, True, "1"])
async def test_a_take_that_version_0_1_bought_by_another_spelling_is_collected(
    tmp_path: Path, given: object
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        studio = s.studio(journal)
        bought = s.state.seed_task("text2video", model="kling-v2-5-turbo", prompt=KITE)
        _written(journal, studio.context.settings.account, before(0.5, given), bought.id)
        plan = studio.plan(text_request(prompt=KITE), given)
        found = await studio.take(plan, files=s.files, reporter=s.heard)
        assert (found.task_id, found.collected) == (bought.id, True)
        assert s.state.creates_received == 0


# -- a field that the model never receives ---------------------------------------------------------------


@given(st.floats(min_value=0, max_value=1))
def test_a_take_is_named_by_what_the_model_receives(cfg_scale: float) -> None:
    plain, moved = (text_request(prompt=KITE, **WITHOUT, cfg_scale=value) for value in (0.5, cfg_scale))
    assert take_of(moved) == take_of(plain)
    heard, other = (text_request(prompt=KITE, **WITH, cfg_scale=value) for value in (0.5, cfg_scale))
    assert (take_of(heard) == take_of(other)) is (cfg_scale == 0.5)


@pytest.mark.parametrize("request_of", [text_request, image_request])
@pytest.mark.parametrize("model", [spec.name for spec in TABLE.specs.values()])
def test_a_take_at_the_default_keeps_its_id_on_every_model(model: str, request_of: Any) -> None:
    request = request_of(model_name=model)
    product = PRODUCTS[request.product]
    assert product.canonical(request, TABLE.specs[model]) == product.canonical(request)


@pytest.mark.parametrize("model", [WITHOUT, WITH])
def test_a_take_at_the_default_has_no_former_name(model: dict[str, Any]) -> None:
    assert make_plan(text_request(**model), 3, TABLE, "api_key").former_takes == ()


def test_a_take_away_from_the_default_has_its_name_of_version_0_1() -> None:
    plan = make_plan(text_request(prompt=KITE, cfg_scale=0.7), 3, TABLE, "api_key")
    assert (plan.take, plan.former_takes) == (before(0.5, 3), (before(0.7, 3),))


async def test_moving_cfg_scale_buys_nothing_on_a_model_without_it(artist: Artist, kling: Any) -> None:
    for cfg_scale in (0.5, 0.0, 0.7, 1.0):
        await nodes.KlingTextToVideoNode().api_call(**{**WORDS, "cfg_scale": cfg_scale})
    assert kling.state.creates_received == 1
    assert "cfg_scale is not used by kling-v2-5-turbo and was not sent." in artist.texts[-1]


async def test_moving_cfg_scale_buys_another_video_on_a_model_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path, retired_models=True) as s:
        studio = s.studio()
        first = await s.take(studio, cfg_scale=0.5, **WITH)
        second = await s.take(studio, cfg_scale=0.7, **WITH)
        assert first.task_id != second.task_id
        assert [task.body["cfg_scale"] for task in s.committed] == [0.5, 0.7]


# -- bought by version 0.1 -------------------------------------------------------------------------------


def _written(
    journal: Journal, account: str, take: str, task_id: str | None, state: str = "delivered"
) -> None:
    """Write a take down as version 0.1 did."""
    journal.open()
    path = Path(__file__).parent.parent / "fixtures" / "journal-0.1.0.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    row = {**next(row for row in rows if row["state"] == state), "account": account, "take": take}
    row = {**row, "row_id": None, "task_id": task_id, "external_task_id": None, "product": "text2video"}
    statement = f"INSERT INTO tasks ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
    with contextlib.closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute(statement, list(row.values()))


async def test_a_take_bought_with_another_cfg_scale_is_found_and_collected(tmp_path: Path) -> None:
    fixture = Path(__file__).parent.parent / "fixtures" / "journal-0.1.0.sqlite3"
    async with stage(tmp_path) as s:
        shutil.copy(fixture, tmp_path / "journal.sqlite3")
        journal = s.journal()
        studio = s.studio(journal)
        task = s.state.seed_task("text2video", model="kling-v2-5-turbo", prompt=KITE)
        _written(journal, studio.context.settings.account, before(0.7), task.id)
        for _ in range(2):
            found = await s.take(studio, KITE, cfg_scale=0.7)
            assert (found.task_id, found.collected) == (task.id, True)
        assert s.state.creates_received == 0


async def test_a_refusal_under_the_new_name_does_not_hide_what_was_bought_under_the_old(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, refuse_code=1102) as s:
        journal = s.journal()
        studio = s.studio(journal)
        with pytest.raises(errors.AccountRefused):
            await s.take(studio, KITE)
        s.state.refuse_code = None
        task = s.state.seed_task("text2video", model="kling-v2-5-turbo", prompt=KITE)
        _written(journal, studio.context.settings.account, before(0.7), task.id)
        assert (await s.take(studio, KITE, cfg_scale=0.7)).task_id == task.id


def _bought_by_0_1(place: Stage, attempt: int = 1, status: str = "succeed") -> Any:
    """A task that version 0.1 has bought on another machine, with cfg_scale at 0.7."""
    settings = place.settings()
    external = external_task_id(before(0.7), attempt, settings.credential.fingerprint())
    model = "kling-v2-5-turbo"
    return place.state.seed_task("text2video", model=model, external_task_id=external, status=status)


async def test_one_that_another_machine_has_bought_is_found_at_kling(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        task = _bought_by_0_1(s)
        for name in ("one", "two"):
            found = await s.take(s.studio(s.journal(name)), KITE, cfg_scale=0.7)
            assert (found.task_id, found.collected) == (task.id, True)
        assert s.state.creates_accepted == 0


async def test_one_that_has_failed_there_goes_on_with_its_next_attempt(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        _bought_by_0_1(s, status="failed")
        bought = _bought_by_0_1(s, attempt=2)
        assert (await s.take(s.studio(), KITE, cfg_scale=0.7)).task_id == bought.id
        assert s.state.creates_accepted == 0


async def test_where_kling_can_not_be_asked_for_the_old_name_nothing_is_bought(tmp_path: Path) -> None:
    async with stage(tmp_path, faults=[Fault("lookup", "error_500_before", times=50)]) as s:
        with pytest.raises(errors.OutcomeUnknown, match="nothing more was sent"):
            await s.take(s.studio(), KITE, cfg_scale=0.7)
        assert s.state.creates_received == 0


async def test_a_take_that_was_never_bought_is_bought_under_its_new_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        await s.take(s.studio(journal), KITE, cfg_scale=0.7)
        await s.take(s.studio(journal), KITE, cfg_scale=0.5)
        (task,) = s.committed
        settings = s.settings()
        assert task.external_task_id == external_task_id(before(0.5), 1, settings.credential.fingerprint())


@pytest.mark.parametrize(("bought", "wanted"), [(0.7, 0.7), (0.5, 0.7)])
async def test_another_account_that_has_bought_it_under_either_name_is_seen(
    tmp_path: Path, bought: float, wanted: float
) -> None:
    async with stage(tmp_path) as s:
        journal = s.journal()
        prepare(journal, purchase(account="kling:china", take=before(bought), estimated_usd=0.0))
        with pytest.raises(errors.BoughtElsewhere, match="your Kling key, china"):
            await s.take(s.studio(journal), KITE, cfg_scale=wanted)
        assert s.state.creates_received == 0
