"""Each limit just inside and just outside: what is within it passes, what is outside names its widget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.model_file import load_table
from kling_takes.tests.builders import (
    image_request,
    picture,
    problems,
    shots,
    simple,
    text_request,
    widgets_of,
)

ZOOM = simple(zoom=5)
ZOOM_WORDS = " The camera zooms out."
V3 = {"model_name": "kling-v3"}
TURBO = {"model_name": "kling-3.0-turbo", "sound": "on"}

#: What stands just inside a limit, and what just outside with the widget that is named.
TEXT_LIMITS = [
    ({"prompt": "x" * 2500}, {"prompt": "x" * 2501}, "prompt"),
    ({"prompt": "x"}, {"prompt": ""}, "prompt"),
    ({"prompt": " x "}, {"prompt": " \n\t"}, "prompt"),
    ({"prompt": "x" * 3072, **TURBO}, {"prompt": "x" * 3073, **TURBO}, "prompt"),
    ({"negative_prompt": "x" * 2500}, {"negative_prompt": "x" * 2501}, "negative_prompt"),
    ({"negative_prompt": "", **TURBO}, {"negative_prompt": "x", **TURBO}, "negative_prompt"),
    ({"duration": "3", **V3}, {"duration": "2", **V3}, "duration"),
    ({"duration": "15", **V3}, {"duration": "16", **V3}, "duration"),
    ({"duration": "5"}, {"duration": "4"}, "duration"),
    ({"duration": "5"}, {"duration": "6"}, "duration"),
    ({"duration": "10"}, {"duration": "9"}, "duration"),
    ({"duration": "10"}, {"duration": "11"}, "duration"),
    ({"mode": "pro"}, {"mode": "4k"}, "mode"),
    ({"mode": "4k", **V3}, {"mode": "4k", **TURBO}, "mode"),
    ({"aspect_ratio": "1:1"}, {"aspect_ratio": "21:9"}, "aspect_ratio"),
    ({"model_name": "kling-v2-6"}, {"model_name": "kling-v9"}, "model_name"),
    ({"model_name": "kling-v1-6"}, {"model_name": "kling-v2-1"}, "model_name"),
    (
        {"sound": "on", "mode": "pro", "model_name": "kling-v2-6"},
        {"sound": "on", "mode": "std", "model_name": "kling-v2-6"},
        "mode",
    ),
    ({"sound": "off"}, {"sound": "on"}, "sound"),
    (TURBO, {**TURBO, "sound": "off"}, "sound"),
    (
        {"sound": None, "model_name": "kling-3.0-turbo"},
        {"sound": "off", "model_name": "kling-3.0-turbo"},
        "sound",
    ),
    ({"prompt": "", "shots": shots(1, 2), **V3}, {"prompt": "", "shots": shots(1, 1), **V3}, "shots"),
    ({"prompt": "", "shots": shots(5, 10), **V3}, {"prompt": "", "shots": shots(6, 10), **V3}, "shots"),
    (
        {"prompt": "", "shots": shots(1, 1, 1, 1, 1, 1), **V3},
        {"prompt": "", "shots": shots(1, 1, 1, 1, 1, 1, 1), **V3},
        "shots",
    ),
    (
        {"prompt": "", "shots": shots(5, words="x" * 512), **V3},
        {"prompt": "", "shots": shots(5, words="x" * 513), **V3},
        "shots",
    ),
    ({"prompt": "", "shots": shots(5), **V3}, {"prompt": "", "shots": shots(5, words=" "), **V3}, "shots"),
    ({"prompt": "", "shots": shots(5), **V3}, {"prompt": "", "shots": shots(5)}, "shots"),
    ({"prompt": "", "shots": shots(5), **V3}, {"prompt": "a fox", "shots": shots(5), **V3}, "prompt"),
    (
        {"prompt": "", "shots": shots(5, words="one; two"), **V3},
        {"prompt": "", "shots": shots(5, words="one; two"), **TURBO},
        "shots",
    ),
    (
        {"prompt": "", "shots": shots(5), **V3},
        {"prompt": "", "shots": shots(5), "camera_control": ZOOM, **V3},
        "camera_control",
    ),
    (
        {"prompt": "x" * (2499 - len(ZOOM_WORDS)), "camera_control": ZOOM},
        {"prompt": "x" * (2500 - len(ZOOM_WORDS)), "camera_control": ZOOM},
        "prompt",
    ),
    (
        {"camera_control": ZOOM},
        {"camera_control": simple(zoom=5, pan=1)},
        "camera_control",
    ),
    (
        {"camera_control": ZOOM},
        {"camera_control": simple()},
        "camera_control",
    ),
    ({"camera_control": ZOOM}, {"camera_control": KlingCameraControl()}, "camera_control"),
    (
        {"camera_control": KlingCameraControl(type="down_back")},
        {"camera_control": KlingCameraControl(type="down_back", config=KlingCameraConfig(zoom=5))},
        "camera_control",
    ),
]

IMAGE_LIMITS = [
    ({"image": picture(300, 300)}, {"image": picture(299, 300)}, "start_frame"),
    ({"image": picture(300, 300)}, {"image": picture(300, 299)}, "start_frame"),
    ({"image": picture(750, 300)}, {"image": picture(751, 300)}, "start_frame"),
    ({"image": picture(300, 750)}, {"image": picture(300, 751)}, "start_frame"),
    ({"image": picture(data=b"x" * 7_500_000)}, {"image": picture(data=b"x" * 7_500_001)}, "start_frame"),
    (
        {"image": picture(data=b"x" * 37_500_000), **TURBO},
        {"image": picture(data=b"x" * 37_500_001), **TURBO},
        "start_frame",
    ),
    ({"mode": "pro", "image_tail": picture()}, {"mode": "std", "image_tail": picture()}, "mode"),
    (
        {"mode": "pro", "image_tail": picture()},
        {"mode": "pro", "image_tail": picture(299, 300)},
        "end_frame",
    ),
    ({"image_tail": picture(), **V3}, {"image_tail": picture(), **TURBO}, "end_frame"),
    ({"image_tail": picture(), **V3}, {"image": None, "image_tail": picture(), **V3}, "start_frame"),
    (
        {"image": None, "image_tail": picture(), "mode": "pro", "model_name": "kling-v1-6"},
        {"image": None, "image_tail": picture(), "mode": "std", "model_name": "kling-v1-6"},
        "start_frame",
    ),
    ({}, {"image": None}, "start_frame"),
    (
        {"model_name": "kling-v2-6", "mode": "pro", "image_tail": picture(), "sound": "off"},
        {"model_name": "kling-v2-6", "mode": "pro", "image_tail": picture(), "sound": "on"},
        "sound",
    ),
    (
        {"model_name": "kling-v1", "duration": "5", "image_tail": picture()},
        {"model_name": "kling-v1", "duration": "10", "image_tail": picture()},
        "duration",
    ),
    ({"prompt": "x" * 2500, **TURBO}, {"prompt": "x" * 2501, **TURBO}, "prompt"),
    ({"prompt": "", "camera_control": ZOOM}, {"prompt": ""}, "prompt"),
    (
        {"prompt": "", "shots": shots(1, 2), "image_tail": picture(), **V3},
        {"prompt": "", "shots": shots(1, 1), "image_tail": picture(), **V3},
        "shots",
    ),
]


@pytest.mark.parametrize(("inside", "outside", "widget"), TEXT_LIMITS)
def test_words_just_inside_pass_and_just_outside_name_the_widget(
    inside: dict[str, Any], outside: dict[str, Any], widget: str
) -> None:
    assert problems(text_request(**inside)) == []
    assert widgets_of(problems(text_request(**outside)))[0] == widget


@pytest.mark.parametrize(("inside", "outside", "widget"), IMAGE_LIMITS)
def test_pictures_just_inside_pass_and_just_outside_name_the_widget(
    inside: dict[str, Any], outside: dict[str, Any], widget: str
) -> None:
    assert problems(image_request(**inside)) == []
    assert widgets_of(problems(image_request(**outside)))[0] == widget


def test_a_limit_of_the_table_is_the_limit_that_is_kept(tmp_path: Path) -> None:
    own = tmp_path / "models.json"
    limits = {"legacy": {"text2video": 20, "image2video": 20}}
    entry = {"dialects": {"legacy": "kling-v2-6"}, "prompt_characters": limits, "durations": [7]}
    own.write_text(json.dumps({"models": {"kling-v2-6": entry}}), encoding="utf-8")
    table = load_table(own)
    assert table.warning is None
    request = text_request(prompt="x" * 21, model_name="kling-v2-6", duration="7")
    assert widgets_of(problems(request, table=table)) == ["prompt"]
    assert problems(request.model_copy(update={"prompt": "x" * 20}), table=table) == []
