"""The request objects and the canonical form that names a take."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pydantic import ValidationError

from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest, TextToVideo
from kling_takes.apis.kling.request import KlingRequest
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.tests.builders import canonical, image_request, picture, shots, simple, text_request

PICTURE = KlingImage(pixels_sha256="c" * 64, width=640, height=480, data=b"\x00\xffpixels", mime="image/jpeg")
#: Written down once: these are the takes of people who have paid. A change here is a second bill for them.
PLAIN_TAKE = (
    '{"aspect_ratio": "16:9", "cfg_scale": 0.5, "duration": "5", "mode": "std", '
    '"model_name": "kling-v2-5-turbo", "product": "text2video", "prompt": "a fox"}'
)
FULL_TAKE = (
    '{"camera_control": {"config": {"pan": -3.5}, "type": "simple"}, "cfg_scale": 0.7, "duration": "9", '
    '"image": {"sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}, '
    '"image_tail": {"sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}, '
    '"mode": "pro", "model_name": "kling-v3", "negative_prompt": "rain", "product": "image2video", '
    '"prompt": "", "shots": [{"duration": 4, "prompt": "one"}, {"duration": 5, "prompt": "two"}], '
    '"sound": "on"}'
)


def as_text(request: KlingRequest) -> str:
    return json.dumps(canonical(request), sort_keys=True)


def test_the_canonical_form_of_a_plain_request_never_changes() -> None:
    assert as_text(text_request()) == PLAIN_TAKE


def test_the_canonical_form_of_a_full_request_never_changes() -> None:
    request = KlingImage2VideoRequest(
        image=PICTURE,
        image_tail=PICTURE,
        negative_prompt="rain",
        model_name="kling-v3",
        cfg_scale=0.7,
        mode="pro",
        camera_control=simple(pan=-3.5),
        sound="on",
        shots=(KlingShot(prompt="one", duration=4), KlingShot(prompt="two", duration=5)),
    )
    assert as_text(request) == FULL_TAKE


@pytest.mark.parametrize(
    "fields",
    [
        {"sound": "off"},
        {"sound": None},
        {"negative_prompt": ""},
        {"shots": None},
        {"shots": ()},
        {"camera_control": None},
        {"cfg_scale": 0.5},
    ],
)
def test_what_changes_nothing_is_the_same_take(fields: dict[str, Any]) -> None:
    assert as_text(text_request(**fields)) == PLAIN_TAKE


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "a fox "},
        {"negative_prompt": "rain"},
        {"model_name": "kling-v2-6"},
        {"cfg_scale": 0.51},
        {"mode": "pro"},
        {"duration": "10"},
        {"aspect_ratio": "1:1"},
        {"sound": "on"},
        {"camera_control": KlingCameraControl(type="down_back")},
        {"shots": shots(5)},
    ],
)
def test_whatever_changes_the_video_is_another_take(fields: dict[str, Any]) -> None:
    assert as_text(text_request(**fields)) != PLAIN_TAKE


def test_the_two_zeros_of_floating_point_are_one_take() -> None:
    assert as_text(text_request(cfg_scale=-0.0)) == as_text(text_request(cfg_scale=0.0))
    still, minus = simple(pan=1, zoom=0.0), simple(pan=1, zoom=-0.0)
    assert as_text(text_request(camera_control=still)) == as_text(text_request(camera_control=minus))


def test_the_same_pixels_in_another_package_are_the_same_take() -> None:
    other = PICTURE.model_copy(update={"data": b"png", "mime": "image/png", "note": "smaller", "width": 320})
    assert canonical(image_request(image=PICTURE)) == canonical(image_request(image=other))


def test_with_shots_their_sum_is_the_length_whatever_the_widget_says() -> None:
    request = text_request(duration="5", shots=shots(4, 5))
    assert request.seconds == 9
    assert canonical(request)["duration"] == "9"
    assert canonical(request) == canonical(text_request(duration="10", shots=shots(4, 5)))


class LaterRequest(KlingText2VideoRequest):
    """Text to video as a later version may have it."""

    style: str = "plain"
    strength: float = 0.25
    shift: float = 0.0
    weights: tuple[float, ...] = ()
    looping: bool = False
    references: tuple[KlingImage, ...] | None = None


class Later(TextToVideo):
    request = LaterRequest


def later(**fields: Any) -> str:
    return json.dumps(Later().canonical(LaterRequest(prompt="a fox", **fields)), sort_keys=True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"style": "plain", "strength": 0.25, "looping": False},
        {"references": None},
        {"references": ()},
        {"shift": -0.0},
    ],
)
def test_a_field_added_later_changes_no_take_while_it_is_at_its_default(fields: dict[str, Any]) -> None:
    assert later(**fields) == PLAIN_TAKE


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"style": "noir"}, {"style": "noir"}),
        ({"style": ""}, {"style": ""}),
        ({"looping": True}, {"looping": True}),
        ({"strength": 0.0}, {"strength": 0.0}),
        ({"weights": (1.0, -0.0)}, {"weights": [1.0, 0.0]}),
        (
            {"references": (picture(digit="a"), picture(digit="b"))},
            {"references": [{"sha256": "a" * 64}, {"sha256": "b" * 64}]},
        ),
    ],
)
def test_a_field_added_later_makes_another_take_once_it_is_set(
    fields: dict[str, Any], part: dict[str, Any]
) -> None:
    assert later(**fields) == json.dumps({**json.loads(PLAIN_TAKE), **part}, sort_keys=True)


def test_the_order_of_pictures_is_part_of_the_take() -> None:
    one, two = picture(digit="a"), picture(digit="b")
    assert later(references=(one, two)) != later(references=(two, one))


def test_minus_zero_stays_out_of_what_is_written_down() -> None:
    assert "-0.0" not in later(strength=-0.0, weights=(-0.0,))
    assert later(strength=-0.0) == later(strength=0.0)


def test_a_picture_is_sent_as_bare_base64_and_stays_out_of_repr() -> None:
    assert base64.b64decode(PICTURE.base64(), validate=True) == PICTURE.data
    assert not PICTURE.base64().startswith("data:")
    assert "pixels'" not in repr(PICTURE)
    assert "\\xff" not in repr(PICTURE)


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "ultra"},
        {"duration": "0"},
        {"duration": "05"},
        {"duration": "five"},
        {"duration": "٥"},
        {"cfg_scale": 1.01},
        {"cfg_scale": float("nan")},
        {"aspect_ratio": "wide"},
        {"sound": "loud"},
        {"seed": 1},
    ],
)
def test_a_shape_that_is_no_request_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KlingText2VideoRequest(prompt="a fox", **fields)


def test_a_request_cannot_be_changed_once_it_is_made() -> None:
    request = KlingText2VideoRequest(prompt="a fox")
    with pytest.raises(ValidationError):
        request.prompt = "another"


def test_every_input_has_a_title_and_a_tooltip() -> None:
    for kind in (KlingText2VideoRequest, KlingImage2VideoRequest, KlingShot, KlingCameraConfig):
        for name, field in kind.model_fields.items():
            assert field.title, name
            assert field.description, name
