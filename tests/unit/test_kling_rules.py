"""Each limit just inside and just outside, and what the artist is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kling_takes.apis.kling import rules
from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.shots import KlingShot

TABLE = load_table()
ZOOM = KlingCameraControl(config=KlingCameraConfig(zoom=5))
ZOOM_WORDS = " The camera zooms out."


def picture(width: int = 640, height: int = 480, size: int = 10) -> KlingImage:
    return KlingImage(pixels_sha256="d" * 64, width=width, height=height, data=b"x" * size, mime="image/png")


def text(**fields: Any) -> list[rules.Problem]:
    return rules.check(KlingText2VideoRequest(**{"prompt": "a fox", **fields}), TABLE)


def image(**fields: Any) -> list[rules.Problem]:
    return rules.check(KlingImage2VideoRequest(**{"prompt": "a fox", "image": picture(), **fields}), TABLE)


def shots(*lengths: int, words: str = "a fox") -> tuple[KlingShot, ...]:
    return tuple(KlingShot(prompt=words, duration=length) for length in lengths)


def widgets(problems: list[rules.Problem]) -> list[str]:
    assert all(problem.text.startswith(f"{problem.widget}: ") for problem in problems)
    return [problem.widget for problem in problems]


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
        {"camera_control": KlingCameraControl(config=KlingCameraConfig(zoom=5, pan=1))},
        "camera_control",
    ),
    (
        {"camera_control": ZOOM},
        {"camera_control": KlingCameraControl(config=KlingCameraConfig())},
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
    ({"image": picture(size=7_500_000)}, {"image": picture(size=7_500_001)}, "start_frame"),
    (
        {"image": picture(size=37_500_000), **TURBO},
        {"image": picture(size=37_500_001), **TURBO},
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
    assert text(**inside) == []
    assert widgets(text(**outside))[0] == widget


@pytest.mark.parametrize(("inside", "outside", "widget"), IMAGE_LIMITS)
def test_pictures_just_inside_pass_and_just_outside_name_the_widget(
    inside: dict[str, Any], outside: dict[str, Any], widget: str
) -> None:
    assert image(**inside) == []
    assert widgets(image(**outside))[0] == widget


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        (
            lambda: text(duration="7", model_name="kling-v2-6"),
            "duration: kling-v2-6 makes 5 or 10 seconds, not 7. Choose 5 or 10. "
            "Or choose model_name kling-v3.",
        ),
        (
            lambda: text(prompt="x" * 2503),
            "prompt: 2503 characters are too many; kling-v2-5-turbo takes 2500. Shorten it by 3.",
        ),
        (
            lambda: text(sound="off", model_name="kling-3.0-turbo"),
            "sound: kling-3.0-turbo always makes sound. Set sound to on. "
            "Or choose model_name kling-v2-5-turbo.",
        ),
        (
            lambda: image(mode="std", image_tail=picture()),
            "mode: kling-v2-5-turbo takes an end frame only with mode pro, not with std. Set mode to pro, "
            "or take the end frame away. Or choose model_name kling-v3.",
        ),
        (
            lambda: image(image=picture(1000, 390)),
            "start_frame: The picture is 1000 x 390 pixels, which is 2.56:1. "
            "Kling takes 1:2.5 to 2.5:1. Crop it.",
        ),
        (
            lambda: image(image=picture(size=9_000_000)),
            "start_frame: the picture is 12.0 MB when sent, and Kling takes 10. Use a smaller one.",
        ),
        (
            lambda: text(camera_control=KlingCameraControl(config=KlingCameraConfig(zoom=5, pan=1))),
            "camera_control: a simple camera move goes along one axis, and pan and zoom are set. "
            "Set all but one to 0.",
        ),
        (
            lambda: text(prompt="", shots=shots(5), camera_control=ZOOM, **V3),
            "camera_control: a camera move belongs to one shot, and this video is cut from several. "
            'Take it away and write the move into the shot it is meant for: "The camera zooms out."',
        ),
    ],
)
def test_a_refusal_is_a_sentence_with_the_numbers_and_the_remedy(problems: Any, said: str) -> None:
    assert [problem.text for problem in problems()] == [said]


def test_a_model_that_is_suggested_could_really_do_it() -> None:
    for name in TABLE.specs:
        for mode in ("std", "pro", "4k"):
            for length in ("3", "5", "10"):
                for sound in (None, "off", "on"):
                    fields = {"model_name": name, "mode": mode, "duration": length, "sound": sound}
                    for problem in text(**fields):
                        _, found, other = problem.text.partition("Or choose model_name ")
                        if found:
                            assert text(**{**fields, "model_name": other.rstrip(".")}) == []


def test_an_unknown_model_may_be_in_the_users_table_that_could_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text('{"models": {"kling-v9": {', encoding="utf-8")
    (problem,) = rules.check_widgets("text2video", {"model_name": "kling-v9"}, load_table(file))
    assert problem.widget == "model_name"
    assert "Your model table models.json is not used: line 1" in problem.text


def test_an_unknown_model_is_answered_with_the_living_ones() -> None:
    (problem,) = text(model_name="kling-v9")
    living = ("kling-v2-5-turbo", "kling-v2-6", "kling-v3", "kling-3.0-turbo")
    assert all(name in problem.text for name in living)
    assert "kling-v1" not in problem.text


def test_the_dialect_decides_where_both_can_be_used() -> None:
    request = KlingText2VideoRequest(prompt="x" * 3000, model_name="kling-v3")
    assert widgets(rules.check(request, TABLE)) == ["prompt"]
    assert rules.check(request, TABLE, "standard") == []
    negative = KlingText2VideoRequest(prompt="x", negative_prompt="y", model_name="kling-v3")
    assert rules.check(negative, TABLE, "legacy") == []
    assert widgets(rules.check(negative, TABLE, "standard")) == ["negative_prompt"]


def test_shots_in_a_prompt_count_together() -> None:
    long = shots(2, 2, 2, 2, 2, 2, words="x" * 505)
    request = KlingText2VideoRequest(shots=long, **TURBO)
    assert len("".join(shot.prompt for shot in long)) < 3072
    assert widgets(rules.check(request, TABLE)) == ["shots"]
    assert rules.check(KlingText2VideoRequest(shots=long, **V3), TABLE) == []


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
    return widgets(rules.check_widgets(product, given, TABLE, linked))


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
    ("kind", "axes", "named"),
    [
        ("simple", {"pan": 10.0}, []),
        ("simple", {"pan": -10.0}, []),
        ("simple", {"pan": 10.01}, ["pan"]),
        ("simple", {"pan": -10.01}, ["pan"]),
        ("simple", {"pan": float("nan")}, ["pan"]),
        ("simple", {"pan": 0.01}, []),
        ("simple", {"pan": 1.0, "zoom": 1.0}, ["pan"]),
        ("simple", {}, ["horizontal"]),
        ("forward_up", {}, []),
        ("forward_up", {"zoom": 1.0}, ["zoom"]),
    ],
)
def test_a_camera_move_has_exactly_one_axis_or_is_a_preset(
    kind: str, axes: dict[str, float], named: list[str]
) -> None:
    neutral = dict.fromkeys(("horizontal", "vertical", "pan", "tilt", "roll", "zoom"), 0.0)
    assert widgets(rules.check_camera(kind, {**neutral, **axes})) == named


def test_an_axis_that_is_linked_is_not_held_against_the_others() -> None:
    known: dict[str, float | None] = dict.fromkeys(("horizontal", "vertical", "pan", "tilt", "roll"), 0.0)
    assert rules.check_camera("simple", known) == []
    assert rules.check_camera("simple", {**known, "zoom": None}) == []
    assert widgets(rules.check_camera("simple", {"pan": 1.0, "tilt": 1.0}, {"pan": "pan_left_right"})) == [
        "pan_left_right"
    ]


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
    assert widgets(rules.check_shot(prompt, length, TABLE)) == named


def warned(**fields: Any) -> list[str]:
    return rules.warnings(KlingText2VideoRequest(**{"prompt": "a fox", **fields}), TABLE)


def test_a_plain_request_warns_of_nothing() -> None:
    assert warned() == []


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"model_name": "kling-v1"}, "retired by Kling on 2026-09-15"),
        ({"model_name": "kling-v2-master"}, "made 720p whatever mode said"),
        ({"cfg_scale": 0.6}, "cfg_scale is not used by kling-v2-5-turbo"),
        ({"model_name": "kling-3.0-turbo"}, "always makes sound"),
        ({"model_name": "kling-v3", "shots": shots(4, 5)}, "add up to 9 seconds"),
    ],
)
def test_what_the_artist_should_know_is_said(fields: dict[str, Any], part: str) -> None:
    assert any(part in line for line in warned(**fields))


def test_what_does_not_need_saying_is_not_said() -> None:
    assert not any("cfg_scale" in line for line in warned(model_name="kling-v1", cfg_scale=0.6))
    assert warned(model_name="kling-3.0-turbo", sound="on") == []
    assert warned(model_name="kling-v3", duration="9", shots=shots(4, 5)) == []


def test_what_was_done_to_a_picture_is_said_with_its_widget() -> None:
    noted = picture().model_copy(update={"note": "The first of 4 pictures was used."})
    request = KlingImage2VideoRequest(prompt="x", image=picture(), image_tail=noted)
    assert rules.warnings(request, TABLE) == ["end_frame: The first of 4 pictures was used."]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cfg_scale": 2}, "cfg_scale: choose 1 or less."),
        ({"cfg_scale": -1}, "cfg_scale: choose 0 or more."),
        ({"mode": "ultra"}, "mode: choose 'std', 'pro' or '4k'."),
        ({"duration": "x"}, "duration: this value does not fit here."),
        ({"seed": 1}, "seed: this value does not fit here."),
    ],
)
def test_a_request_that_could_not_be_made_is_explained_in_words(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KlingText2VideoRequest(**fields)
    assert [problem.text for problem in rules.shape_problems(caught.value)] == [said]
    (renamed,) = rules.shape_problems(caught.value, {next(iter(fields)): "other"})
    assert renamed.widget == "other"


def test_a_limit_of_the_table_is_the_limit_that_is_kept(tmp_path: Path) -> None:
    own = tmp_path / "models.json"
    limits = {"legacy": {"text2video": 20, "image2video": 20}}
    entry = {"dialects": {"legacy": "kling-v2-6"}, "prompt_characters": limits, "durations": [7]}
    own.write_text(json.dumps({"models": {"kling-v2-6": entry}}), encoding="utf-8")
    table = load_table(own)
    assert table.warning is None
    request = KlingText2VideoRequest(prompt="x" * 21, model_name="kling-v2-6", duration="7")
    assert widgets(rules.check(request, table)) == ["prompt"]
    assert rules.check(request.model_copy(update={"prompt": "x" * 20}), table) == []
