"""The table of products: nothing else in the simulator knows one by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import kling_takes.simulator
from kling_takes.simulator.products import PRODUCTS, lookup_only

ROOT = Path(kling_takes.simulator.__file__).parent
OUTSIDE = sorted(path for path in ROOT.rglob("*.py") if path.parent.name != "products")


def words() -> list[str]:
    """Return every word by which a product could be named."""
    found = {module.stem for module in (ROOT / "products").glob("*_to_*.py")}
    for product in PRODUCTS.values():
        paths = (product.legacy_path, product.standard_path)
        found |= {product.name, product.product_type, *(path for path in paths if path)}
    return sorted(found - {""})


def test_no_module_outside_the_folder_of_products_names_one():
    assert len(OUTSIDE) > 20
    assert {"text2video", "/image-to-video", "image_to_video", "lip-sync"} <= set(words())
    named = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words()))})(?![\w-])", re.IGNORECASE)
    for path in OUTSIDE:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not named.search(line), f"{path.name}:{number}: {line}"


def test_no_product_shadows_another_one_s_address():
    for address in ("legacy_path", "standard_path"):
        paths = [path for path in (getattr(row, address) for row in PRODUCTS.values()) if path]
        assert len(set(paths)) == len(paths)
        assert all(path.startswith("/") and not path.endswith("/") for path in paths)


@pytest.mark.parametrize("row", lookup_only.PRODUCTS, ids=lambda row: row.name)
def test_a_product_that_is_made_here_is_not_among_those_that_are_only_found(row):
    assert PRODUCTS[row.name] is row


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_a_product_of_the_new_standard_has_a_word_for_its_filter(product):
    assert bool(product.standard_path) == bool(product.product_type)


@pytest.mark.parametrize("name", PRODUCTS)
async def test_a_task_of_every_product_that_was_made_elsewhere_is_found_with_its_file(bench, name):
    task = bench.state.seed_task(name)
    data = await bench.task(task.id, PRODUCTS[name].legacy_path)
    (listed,) = data["task_result"].values()
    async with bench.session.get(listed[0]["url"]) as reply:
        assert reply.status == 200


async def test_a_product_of_the_new_standard_that_is_only_found_here_refuses_a_create(bench):
    status, answer = await bench.ask("POST", "/omni-video/kling-3.0-omni", json={})
    assert (status, answer["code"]) == (404, 1203)
    assert "only finds" in answer["message"]
