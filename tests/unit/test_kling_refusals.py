"""What the artist is told when something can't be made: a sentence with the numbers and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.request import KlingRequest, shape_problems
from kling_takes.tests.builders import (
    TABLE,
    image_request,
    picture,
    problems,
    shots,
    simple,
    text_request,
    widget_problems,
    widgets_of,
)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            text_request(duration="7", model_name="kling-v2-6"),
            "duration: kling-v2-6 makes 5 or 10 seconds, not 7. Choose 5 or 10. "
            "Or choose model_name kling-v3.",
        ),
        (
            text_request(prompt="x" * 2503),
            "prompt: 2503 characters are too many; kling-v2-5-turbo takes 2500. Shorten it by 3.",
        ),
        (
            text_request(sound="off", model_name="kling-3.0-turbo"),
            "sound: kling-3.0-turbo always makes sound. Set sound to on. "
            "Or choose model_name kling-v2-5-turbo.",
        ),
        (
            image_request(mode="std", image_tail=picture()),
            "mode: kling-v2-5-turbo takes an end frame only with mode pro, not with std. Set mode to pro, "
            "or take the end frame away. Or choose model_name kling-v3.",
        ),
        (
            image_request(image=picture(1000, 390)),
            "start_frame: The picture is 1000 x 390 pixels, which is 2.56:1. "
            "Kling takes 1:2.5 to 2.5:1. Crop it.",
        ),
        (
            image_request(image=picture(data=b"x" * 9_000_000)),
            "start_frame: the picture is 12.0 MB when sent, and Kling takes 10. Use a smaller one.",
        ),
        (
            text_request(camera_control=simple(zoom=5, pan=1)),
            "camera_control: a simple camera move goes along one axis, and pan and zoom are set. "
            "Set all but one to 0.",
        ),
        (
            text_request(prompt="", shots=shots(5), camera_control=simple(zoom=5), model_name="kling-v3"),
            "camera_control: a camera move belongs to one shot, and this video is cut from several. "
            'Take it away and write the move into the shot it is meant for: "The camera zooms out."',
        ),
    ],
)
def test_a_refusal_is_a_sentence_with_the_numbers_and_the_remedy(wanted: KlingRequest, said: str) -> None:
    assert [problem.text for problem in problems(wanted)] == [said]


def test_a_model_that_is_suggested_could_really_do_it() -> None:
    for name in TABLE.specs:
        for mode in ("std", "pro", "4k"):
            for length in ("3", "5", "10"):
                for sound in (None, "off", "on"):
                    fields = {"model_name": name, "mode": mode, "duration": length, "sound": sound}
                    for problem in problems(text_request(**fields)):
                        _, found, other = problem.text.partition("Or choose model_name ")
                        if found:
                            could = {**fields, "model_name": other.rstrip(".")}
                            assert problems(text_request(**could)) == []


def test_an_unknown_model_may_be_in_the_users_table_that_could_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text('{"models": {"kling-v9": {', encoding="utf-8")
    (problem,) = widget_problems("text2video", {"model_name": "kling-v9"}, table=load_table(file))
    assert problem.widget == "model_name"
    assert "Your model table models.json is not used: line 1" in problem.text


def test_an_unknown_model_is_answered_with_the_living_ones() -> None:
    (problem,) = problems(text_request(model_name="kling-v9"))
    living = ("kling-v2-5-turbo", "kling-v2-6", "kling-v3", "kling-3.0-turbo")
    assert all(name in problem.text for name in living)
    assert "kling-v1" not in problem.text


def test_the_dialect_decides_where_both_can_be_used() -> None:
    request = text_request(prompt="x" * 3000, model_name="kling-v3")
    assert widgets_of(problems(request)) == ["prompt"]
    assert problems(request, "standard") == []
    negative = text_request(negative_prompt="y", model_name="kling-v3")
    assert problems(negative, "legacy") == []
    assert widgets_of(problems(negative, "standard")) == ["negative_prompt"]


def test_shots_in_a_prompt_count_together() -> None:
    long = shots(2, 2, 2, 2, 2, 2, words="x" * 505)
    request = text_request(prompt="", shots=long, model_name="kling-3.0-turbo", sound="on")
    assert len("".join(shot.prompt for shot in long)) < 3072
    assert widgets_of(problems(request)) == ["shots"]
    assert problems(request.model_copy(update={"model_name": "kling-v3"})) == []


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
    assert [problem.text for problem in shape_problems(caught.value, KlingText2VideoRequest)] == [said]


def test_a_field_that_could_not_be_made_is_named_by_its_input() -> None:
    with pytest.raises(ValidationError) as caught:
        image_request(image="a.png", image_tail="b.png")
    assert widgets_of(shape_problems(caught.value, KlingImage2VideoRequest)) == ["start_frame", "end_frame"]
