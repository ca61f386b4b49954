"""What the widgets alone show to be impossible, before anything runs and while links have no value yet."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis.kling.shots import check_shot
from kling_takes.tests.builders import TABLE, widget_problems, widgets_of

WIDGETS = {
    "prompt": "a fox",
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
    "sound": "off",
}


def by_widgets(linked: tuple[str, ...] = (), product: Any = "text2video", **values: Any) -> list[str]:
    given = {name: value for name, value in {**WIDGETS, **values}.items() if name not in linked}
    return widgets_of(widget_problems(product, given, linked))


@pytest.mark.parametrize(
    ("values", "widget"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 2501}, "prompt"),
        ({"negative_prompt": "x" * 2501}, "negative_prompt"),
        ({"cfg_scale": 1.01}, "cfg_scale"),
        ({"cfg_scale": -0.01}, "cfg_scale"),
        ({"cfg_scale": float("nan")}, "cfg_scale"),
        ({"model_name": "kling-v9"}, "model_name"),
        ({"mode": "4k"}, "mode"),
        ({"mode": "ultra"}, "mode"),
        ({"duration": "7"}, "duration"),
        ({"duration": "five"}, "duration"),
        ({"duration": "9" * 5000}, "duration"),
        ({"duration": ""}, "duration"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio"),
        ({"sound": "on"}, "sound"),
        ({"sound": "loud"}, "sound"),
    ],
)
def test_a_widget_that_cannot_work_is_named_before_anything_runs(values: dict[str, Any], widget: str) -> None:
    assert by_widgets() == []
    assert widget in by_widgets(**values)


def test_what_is_linked_is_not_judged_by_its_widget() -> None:
    for name in WIDGETS:
        assert by_widgets(linked=(name,)) == []


def test_linked_shots_make_an_empty_prompt_right_and_the_duration_unused() -> None:
    values = {"prompt": "", "duration": "99", "model_name": "kling-v3"}
    assert by_widgets(**values) == ["prompt", "duration"]
    assert by_widgets(linked=("shots",), **values) == []
    assert by_widgets(linked=("shots",), prompt="") == ["shots"]
    assert by_widgets(linked=("shots",), model_name="kling-v3") == ["prompt"]
    assert by_widgets(linked=("shots", "camera_control"), **values) == ["camera_control"]


def test_a_linked_end_frame_is_held_against_mode_and_sound() -> None:
    both = ("start_frame", "end_frame")
    assert by_widgets(linked=both, product="image2video", mode="pro") == []
    assert by_widgets(linked=both, product="image2video", mode="std") == ["mode"]
    v26 = {"model_name": "kling-v2-6", "mode": "pro", "sound": "on"}
    assert by_widgets(linked=both, product="image2video", **v26) == ["sound"]
    assert by_widgets(linked=("start_frame",), product="image2video", **v26) == []


def test_a_linked_camera_move_can_be_all_the_words_a_picture_needs() -> None:
    assert by_widgets(product="image2video", prompt="") == ["prompt"]
    assert by_widgets(linked=("camera_control",), product="image2video", prompt="") == []
    assert by_widgets(linked=("camera_control",), prompt="") == ["prompt"]


@pytest.mark.parametrize(
    ("prompt", "length", "named"),
    [
        ("a fox", 1, []),
        ("x" * 512, 3, []),
        ("x" * 513, 3, ["prompt"]),
        ("  ", 3, ["prompt"]),
        ("a fox", 0, ["seconds"]),
        (None, None, []),
    ],
)
def test_one_shot_has_words_and_a_length(prompt: str | None, length: int | None, named: list[str]) -> None:
    assert widgets_of(check_shot(prompt, length, TABLE)) == named
