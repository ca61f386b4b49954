"""Prices as Kling's own page has them."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis.kling.products.base import Price
from kling_takes.tests.builders import price, shots, text_request


@pytest.mark.parametrize(
    ("name", "mode", "duration", "sound", "units", "usd"),
    [
        ("kling-v2-5-turbo", "std", "5", None, 1.5, 0.21),
        ("kling-v2-5-turbo", "std", "10", "off", 3.0, 0.42),
        ("kling-v2-5-turbo", "pro", "5", None, 2.5, 0.35),
        ("kling-v2-5-turbo", "pro", "10", None, 5.0, 0.70),
        ("kling-v2-6", "std", "5", None, 1.5, 0.21),
        ("kling-v2-6", "pro", "5", "off", 2.5, 0.35),
        ("kling-v2-6", "pro", "5", "on", 5.0, 0.70),
        ("kling-v2-6", "pro", "10", "on", 10.0, 1.40),
        ("kling-v3", "std", "5", None, 3.0, 0.42),
        ("kling-v3", "pro", "5", None, 4.0, 0.56),
        ("kling-v3", "4k", "5", None, 15.0, 2.10),
        ("kling-v3", "std", "5", "on", 4.5, 0.63),
        ("kling-v3", "pro", "5", "on", 6.0, 0.84),
        ("kling-v3", "4k", "5", "on", 15.0, 2.10),
        ("kling-v3", "std", "3", None, 1.8, 0.252),
        ("kling-3.0-turbo", "std", "3", "on", 2.4, 0.336),
        ("kling-3.0-turbo", "std", "5", None, 4.0, 0.56),
        ("kling-3.0-turbo", "pro", "5", "on", 5.0, 0.70),
        ("kling-v1", "std", "5", None, 1.0, 0.14),
        ("kling-v1", "pro", "5", None, 3.5, 0.49),
        ("kling-v1-6", "std", "10", None, 4.0, 0.56),
        ("kling-v2-master", "std", "5", None, 10.0, 1.40),
    ],
)
def test_a_video_costs_what_the_price_page_says(
    name: str, mode: Any, duration: str, sound: Any, units: float, usd: float
) -> None:
    request = text_request(model_name=name, mode=mode, duration=duration, sound=sound)
    assert price(request) == Price(units, usd)


def test_shots_cost_their_sum() -> None:
    request = text_request(model_name="kling-v3", duration="15", shots=shots(3, 4))
    assert price(request) == Price(4.2, 0.588)


def test_where_the_table_has_no_price_none_is_made_up() -> None:
    assert price(text_request(model_name="kling-v9")) is None
    assert price(text_request(mode="4k")) is None
    assert price(text_request(sound="on")) is None


def test_a_price_reads_as_units_and_dollars() -> None:
    assert str(Price(1.5, 0.21)) == "1.5 units ($0.21)"
    assert str(Price(15.0, 2.1)) == "15 units ($2.10)"
