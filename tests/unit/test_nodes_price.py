"""The price on a node before it runs."""

from __future__ import annotations

import pytest

from kling_takes import nodes
from kling_takes.nodes import price_badge
from kling_takes.tests.paper_comfyui import Artist

NODES = nodes.NODE_CLASS_MAPPINGS


@pytest.mark.parametrize(
    ("widgets", "text"),
    [
        (
            {"model_name": "kling-v2-5-turbo", "mode": "std", "duration": "5", "sound": "off"},
            "1.5 units ($0.21)",
        ),
        ({"model_name": "kling-v3", "mode": "pro", "sound": "on"}, "1.2 units ($0.17) a second"),
        ({"model_name": "kling-v9", "mode": "std", "duration": "5"}, ""),
        ({"model_name": "kling-v2-5-turbo", "mode": "4k", "duration": "5"}, ""),
        ({"model_name": "kling-v2-5-turbo", "mode": "std", "duration": "7"}, ""),
        ({"model_name": "kling-v2-6", "mode": "std", "duration": "5", "sound": "on"}, ""),
        ({"mode": "std", "duration": "5"}, ""),
        ({"model_name": "kling-v2-5-turbo", "mode": "fast", "duration": "5"}, ""),
        ({"model_name": "kling-v2-5-turbo", "mode": "std", "duration": "long"}, ""),
    ],
)
def test_the_badge_shows_the_price_of_the_widgets_or_nothing(
    artist: Artist, widgets: dict[str, str], text: str
) -> None:
    assert price_badge.text_of_price("KlingTakesTextToVideo", widgets) == text


def test_a_node_that_buys_nothing_has_no_price(artist: Artist) -> None:
    widgets = {"model_name": "kling-v2-5-turbo", "mode": "std", "duration": "5", "sound": "off"}
    assert price_badge.text_of_price("KlingTakesImageToVideo", widgets) == "1.5 units ($0.21)"
    for node in ("KlingTakesRecover", "KlingTakesShot", "KlingTextToVideoNode", "nothing", ""):
        assert price_badge.text_of_price(node, widgets) == ""


def test_the_browser_hears_of_every_node_that_buys_and_of_widgets_that_it_has(artist: Artist) -> None:
    found = price_badge.priced_by()
    assert list(found) == [
        name for name in nodes.NODE_DISPLAY_NAME_MAPPINGS if hasattr(NODES[name], "REQUEST")
    ]
    for name, widgets in found.items():
        assert set(widgets) <= set(NODES[name].judged_inputs())
    assert found["KlingTakesTextToVideo"] == ["model_name", "mode", "duration", "sound"]
