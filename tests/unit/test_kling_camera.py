"""A camera move: what is wrong with one, its words, and when it is a field."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.apis import errors
from kling_takes.apis.kling import camera
from kling_takes.apis.kling.camera import KlingCameraControl
from kling_takes.tests.builders import (
    as_sent,
    image_request,
    notes,
    picture,
    shots,
    simple,
    text_request,
    widgets_of,
)


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
    request = text_request(model_name=name, camera_control=simple(zoom=-5))
    before = request.model_copy(deep=True)
    sent = as_sent(request)
    assert sent.prompt == "a fox. The camera zooms in."
    assert sent.camera_control is None
    assert 'The camera move was written into the prompt: "The camera zooms in."' in notes(request)
    assert request == before, "a node handed its request on and got another one back"


def test_without_a_move_nothing_happens() -> None:
    request = text_request()
    assert as_sent(request) is request
    assert notes(request) == []


FIELD_OF_V1 = {"model_name": "kling-v1", "mode": "std", "duration": "5"}
FIELD_OF_V15 = {"model_name": "kling-v1-5", "mode": "pro", "duration": "5"}
PRESET = KlingCameraControl(type="down_back")


@pytest.mark.parametrize(
    ("make", "fields", "in_field"),
    [
        (text_request, FIELD_OF_V1, True),
        (text_request, {**FIELD_OF_V1, "camera_control": PRESET}, True),
        (text_request, {**FIELD_OF_V1, "mode": "pro"}, False),
        (text_request, {**FIELD_OF_V1, "duration": "10"}, False),
        (image_request, FIELD_OF_V1, False),
        (image_request, FIELD_OF_V15, True),
        (image_request, {**FIELD_OF_V15, "mode": "std"}, False),
        (image_request, {**FIELD_OF_V15, "duration": "10"}, False),
        (image_request, {**FIELD_OF_V15, "image_tail": picture()}, False),
        (image_request, {**FIELD_OF_V15, "camera_control": PRESET}, False),
    ],
)
def test_the_field_is_used_exactly_where_the_model_has_it(
    make: Any, fields: dict[str, Any], in_field: bool
) -> None:
    request = make(**{"camera_control": simple(zoom=-5), **fields})
    sent = as_sent(request)
    assert (sent.camera_control == request.camera_control) is in_field
    assert (sent.camera_control is not None) is in_field
    assert (sent.prompt == "a fox") is in_field
    said = "gets the camera move as its own field" if in_field else "was written into the prompt"
    assert [said in note for note in notes(request)].count(True) == 1


def test_the_new_standard_has_no_field_for_any_model() -> None:
    request = text_request(camera_control=simple(zoom=-5), **FIELD_OF_V1)
    assert as_sent(request, "legacy").camera_control is not None
    assert as_sent(request, "standard").camera_control is None


def test_a_move_over_several_shots_is_not_guessed_at() -> None:
    request = text_request(prompt="", model_name="kling-v3", camera_control=simple(zoom=-5), shots=shots(5))
    with pytest.raises(errors.InvalidInput, match="one shot"):
        notes(request)


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
    neutral = dict.fromkeys(camera.CAMERA_AXES, 0.0)
    assert widgets_of(camera.check_camera(kind, {**neutral, **axes})) == named


def test_an_axis_that_is_linked_is_not_held_against_the_others() -> None:
    known: dict[str, float | None] = dict.fromkeys(("horizontal", "vertical", "pan", "tilt", "roll"), 0.0)
    assert list(camera.check_camera("simple", known)) == []
    assert list(camera.check_camera("simple", {**known, "zoom": None})) == []
    renamed = camera.check_camera("simple", {"pan": 1.0, "tilt": 1.0}, "{}_widget".format)
    assert widgets_of(renamed) == ["pan_widget"]
