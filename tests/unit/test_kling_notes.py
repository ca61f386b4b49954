"""What the artist should know about a request that can be sent all the same."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes.tests.builders import image_request, notes, picture, shots, text_request


def test_a_plain_request_warns_of_nothing() -> None:
    assert notes(text_request()) == []


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"model_name": "kling-v1"}, "retired by Kling on 2026-09-15"),
        ({"model_name": "kling-v2-master"}, "made 720p whatever mode said"),
        ({"cfg_scale": 0.6}, "cfg_scale is not used by kling-v2-5-turbo"),
        ({"model_name": "kling-3.0-turbo"}, "always makes sound"),
        ({"model_name": "kling-v3", "prompt": "", "shots": shots(4, 5)}, "add up to 9 seconds"),
    ],
)
def test_what_the_artist_should_know_is_said(fields: dict[str, Any], part: str) -> None:
    assert any(part in line for line in notes(text_request(**fields)))


def test_what_does_not_need_saying_is_not_said() -> None:
    assert not any("cfg_scale" in line for line in notes(text_request(model_name="kling-v1", cfg_scale=0.6)))
    assert notes(text_request(model_name="kling-3.0-turbo", sound="on")) == []
    assert notes(text_request(model_name="kling-v3", prompt="", duration="9", shots=shots(4, 5))) == []


def test_what_was_done_to_a_picture_is_said_with_its_widget() -> None:
    noted = picture().model_copy(update={"note": "The first of 4 pictures was used."})
    request = image_request(image_tail=noted, mode="pro")
    assert notes(request) == ["end_frame: The first of 4 pictures was used."]
