"""A camera move in words, and when it is a field."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis.kling import camera, facts
from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.shots import KlingShot

TABLE = load_table()
PICTURE = KlingImage(pixels_sha256="e" * 64, width=640, height=480, data=b"x", mime="image/png")


def simple(**axes: float) -> KlingCameraControl:
    return KlingCameraControl(config=KlingCameraConfig(**axes))


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (simple(horizontal=-5), "The camera slides to the left."),
        (simple(horizontal=5), "The camera slides to the right."),
        (simple(vertical=-5), "The camera moves straight down."),
        (simple(vertical=5), "The camera rises straight up."),
        (simple(pan=-5), "The camera pans to the left."),
        (simple(pan=5), "The camera pans to the right."),
        (simple(tilt=-5), "The camera tilts down."),
        (simple(tilt=5), "The camera tilts up."),
        (simple(roll=-5), "The camera rolls counter-clockwise."),
        (simple(roll=5), "The camera rolls clockwise."),
        (simple(zoom=-5), "The camera zooms in."),
        (simple(zoom=5), "The camera zooms out."),
        (simple(pan=0.1), "The camera slowly pans to the right."),
        (simple(pan=3), "The camera slowly pans to the right."),
        (simple(pan=3.1), "The camera pans to the right."),
        (simple(pan=7.9), "The camera pans to the right."),
        (simple(pan=-8), "The camera quickly pans to the left."),
        (simple(pan=10), "The camera quickly pans to the right."),
        (KlingCameraControl(type="down_back"), "The camera moves down and backward."),
        (KlingCameraControl(type="forward_up"), "The camera moves forward and tilts up."),
        (
            KlingCameraControl(type="right_turn_forward"),
            "The camera turns to the right and moves forward.",
        ),
        (KlingCameraControl(type="left_turn_forward"), "The camera turns to the left and moves forward."),
    ],
)
def test_every_move_has_its_words(control: KlingCameraControl, words: str) -> None:
    assert camera.words(control) == words


@pytest.mark.parametrize("control", [KlingCameraControl(), simple(), simple(pan=1, zoom=1)])
def test_a_simple_move_without_exactly_one_axis_has_no_words(control: KlingCameraControl) -> None:
    with pytest.raises(ValueError, match="one axis"):
        camera.words(control)


@pytest.mark.parametrize(
    ("prompt", "whole"),
    [
        ("a fox", "a fox. The camera zooms in."),
        ("a fox.", "a fox. The camera zooms in."),
        ("a fox!  \n", "a fox! The camera zooms in."),
        ("一只狐狸。", "一只狐狸。 The camera zooms in."),
        ("", "The camera zooms in."),
        ("  ", "The camera zooms in."),
    ],
)
def test_the_words_stand_behind_the_prompt(prompt: str, whole: str) -> None:
    assert camera.with_words(prompt, simple(zoom=-5)) == whole


@pytest.mark.parametrize("name", ["kling-v2-5-turbo", "kling-v2-6", "kling-v3", "kling-3.0-turbo"])
def test_on_every_living_model_the_move_goes_into_the_prompt_and_says_so(name: str) -> None:
    request = KlingText2VideoRequest(prompt="a fox", model_name=name, camera_control=simple(zoom=-5))
    before = request.model_copy(deep=True)
    resolved = camera.resolve(request, TABLE)
    assert resolved.how == "prompt"
    assert resolved.request.prompt == "a fox. The camera zooms in."
    assert resolved.request.camera_control is None
    assert "The camera zooms in." in resolved.note
    assert request == before, "a node handed its request on and got another one back"


def test_without_a_move_nothing_happens() -> None:
    request = KlingText2VideoRequest(prompt="a fox")
    assert camera.resolve(request, TABLE) == (request, None, "")


FIELD_OF_V1 = {"model_name": "kling-v1", "mode": "std", "duration": "5"}
FIELD_OF_V15 = {"model_name": "kling-v1-5", "mode": "pro", "duration": "5", "image": PICTURE}


@pytest.mark.parametrize(
    ("kind", "fields", "how"),
    [
        (KlingText2VideoRequest, FIELD_OF_V1, "field"),
        (
            KlingText2VideoRequest,
            {**FIELD_OF_V1, "camera_control": KlingCameraControl(type="down_back")},
            "field",
        ),
        (KlingText2VideoRequest, {**FIELD_OF_V1, "mode": "pro"}, "prompt"),
        (KlingText2VideoRequest, {**FIELD_OF_V1, "duration": "10"}, "prompt"),
        (KlingImage2VideoRequest, {**FIELD_OF_V1, "image": PICTURE}, "prompt"),
        (KlingImage2VideoRequest, FIELD_OF_V15, "field"),
        (KlingImage2VideoRequest, {**FIELD_OF_V15, "mode": "std"}, "prompt"),
        (KlingImage2VideoRequest, {**FIELD_OF_V15, "duration": "10"}, "prompt"),
        (KlingImage2VideoRequest, {**FIELD_OF_V15, "image_tail": PICTURE}, "prompt"),
        (
            KlingImage2VideoRequest,
            {**FIELD_OF_V15, "camera_control": KlingCameraControl(type="down_back")},
            "prompt",
        ),
    ],
)
def test_the_field_is_used_exactly_where_the_model_has_it(
    kind: Any, fields: dict[str, Any], how: str
) -> None:
    request = kind(**{"prompt": "a fox", "camera_control": simple(zoom=-5), **fields})
    resolved = camera.resolve(request, TABLE)
    assert resolved.how == how
    assert (resolved.request.camera_control is not None) is (how == "field")
    assert (resolved.request.prompt == "a fox") is (how == "field")
    assert resolved.note


def test_the_new_standard_has_no_field_for_any_model() -> None:
    request = KlingText2VideoRequest(prompt="a fox", camera_control=simple(zoom=-5), **FIELD_OF_V1)
    spec = TABLE.specs["kling-v1"]
    assert camera.goes_in_field(facts.of_request(request), spec, "legacy")
    assert not camera.goes_in_field(facts.of_request(request), spec, "standard")


def test_a_move_over_several_shots_is_not_guessed_at() -> None:
    request = KlingText2VideoRequest(
        model_name="kling-v3", camera_control=simple(zoom=-5), shots=(KlingShot(prompt="a", duration=5),)
    )
    with pytest.raises(ValueError, match="one shot"):
        camera.resolve(request, TABLE)
