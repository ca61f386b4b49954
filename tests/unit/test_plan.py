"""A request is checked once, and the plan that comes of it decides everything that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.kling import dialects
from kling_takes.apis.kling.dialects import Dialect
from kling_takes.apis.kling.draft import Draft
from kling_takes.apis.kling.models import DialectName, ModelSpec, ModelTable
from kling_takes.apis.kling.problem import Problem
from kling_takes.apis.kling.products import PRODUCTS, legacy_paths
from kling_takes.apis.kling.products.base import Product
from kling_takes.apis.plan import make_plan
from kling_takes.simulator.state import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY
from kling_takes.tests.builders import image_request, text_request
from kling_takes.tests.stage import serving, stage
from kling_takes.tests.throwaway import AnyKling, Pictures, PicturesRequest, table_with

WANTED = {"model_name": "throwaway-1", "prompt": "a fox", "n": 2}


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Pictures:
    made = Pictures()
    monkeypatch.setitem(PRODUCTS, made.name, made)
    return made


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each model's dialect was chosen."""
    counts: Counter[str] = Counter()
    choose = dialects.choose

    def counted(product: Any, spec: Any, credential: Any) -> Dialect:
        counts[spec.name] += 1
        return choose(product, spec, credential)

    monkeypatch.setattr(dialects, "choose", counted)
    return counts


@pytest.mark.parametrize("routed", [False, True])
async def test_a_request_is_checked_once_and_its_dialect_is_chosen_once(
    tmp_path: Path, product: Pictures, chosen: Counter[str], routed: bool
) -> None:
    kling = AnyKling()
    async with stage(tmp_path) as s, serving(kling.app()) as url:
        studio = s.studio(
            settings=s.settings(KLING_API_BASE=url), table=table_with("throwaway-1", "standard")
        )
        route = studio.route(PicturesRequest, WANTED) if routed else None
        plan = studio.plan(PicturesRequest(**WANTED), 0, route)
        for _ in range(2):
            await studio.take(plan, files=s.files, reporter=s.heard)
    assert kling.creates == 1
    assert product.asked == {"problems": 1, "price": 1, "body": 1}
    assert chosen == {"throwaway-1": 1}


async def test_a_plan_that_is_impossible_sends_and_writes_nothing(tmp_path: Path, product: Pictures) -> None:
    kling = AnyKling()
    async with stage(tmp_path) as s, serving(kling.app()) as url:
        journal = s.journal()
        studio = s.studio(
            journal, settings=s.settings(KLING_API_BASE=url), table=table_with("throwaway-1", "legacy")
        )
        with pytest.raises(errors.InvalidInput) as caught:
            studio.plan(PicturesRequest(**{**WANTED, "prompt": ""}), 0)
        assert caught.value.widget == "prompt"
        assert not kling.requests
        assert not journal.path.exists()


async def test_a_plan_is_that_of_the_dialect_in_which_the_credential_reaches_the_model(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        pair = s.settings(None, KLING_ACCESS_KEY=SIMULATOR_ACCESS_KEY, KLING_SECRET_KEY=SIMULATOR_SECRET_KEY)
        by_key, by_pair = s.studio(), s.studio(settings=pair)
        turbo = text_request(model_name="kling-3.0-turbo")
        assert by_key.plan(turbo, 0).dialect.name == "standard"
        assert by_pair.plan(text_request(), 0).dialect.name == "legacy"
        with pytest.raises(errors.InvalidInput, match="key pair") as caught:
            by_pair.plan(turbo, 0)
        assert caught.value.widget == "model_name"


@pytest.mark.parametrize(
    ("lacking", "preferred", "dialect", "path"),
    [
        ("standard_path", "standard", "legacy", "/v1/images/throwaway"),
        ("legacy_path", "legacy", "standard", "/throwaway-pictures/throwaway-1"),
    ],
)
def test_a_product_of_one_dialect_is_bought_there_whatever_its_model_prefers(
    monkeypatch: pytest.MonkeyPatch, lacking: str, preferred: Any, dialect: str, path: str
) -> None:
    class Picky(Pictures):
        def model_problems(
            self, draft: Draft, spec: ModelSpec, table: ModelTable, dialect: DialectName
        ) -> Iterator[Problem]:
            if dialect == preferred:
                yield Problem("n", "n: this dialect has none.")

    product = Picky()
    monkeypatch.setattr(Picky, lacking, None)
    monkeypatch.setitem(PRODUCTS, product.name, product)
    table = table_with("throwaway-1", preferred)
    plan = make_plan(PicturesRequest(**WANTED), 0, table, "api_key")
    assert (plan.dialect.name, plan.endpoint.path) == (dialect, path)
    assert (product.name in legacy_paths()) == (dialect == "legacy")
    assert product.problems(Draft(WANTED), table) == []
    other = table.specs["throwaway-1"].model_copy(update={"dialects": {preferred: "throwaway-1"}})
    assert product.lack_of(other) == f"dialects lacks {dialect}, and throwaway-pictures needs it"
    assert product.dialects(other) == [preferred]
    with pytest.raises(ValueError, match="has no body"):
        getattr(Product, f"{preferred}_body")(product, PicturesRequest(**WANTED), other)


async def test_a_plan_that_is_made_again_is_the_same_take_and_another_number_is_another(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio()
        plan = studio.plan(image_request(), 3)
        assert studio.plan(image_request(), 3) == plan
        assert studio.plan(image_request(), 4).take != plan.take


async def test_a_request_whose_fields_have_no_defaults_is_routed_by_what_is_known(
    tmp_path: Path, product: Pictures
) -> None:
    async with stage(tmp_path) as s:
        studio = s.studio(table=table_with("throwaway-1", "legacy"))
        assert studio.route(PicturesRequest, WANTED).spec.name == "throwaway-1"
        with pytest.raises(errors.InvalidInput) as caught:
            studio.route(PicturesRequest, {"prompt": "a fox"})
        assert caught.value.widget == "model_name"
        assert "Undefined" not in str(caught.value)
