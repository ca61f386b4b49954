"""What a node refuses: on its widgets before anything runs, and in itself when all values are known."""

from __future__ import annotations

from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.nodes.validation import ABSENT
from kling_takes.tests.paper_comfyui import FRAME_WORDS, WORDS, Artist, axes, picture


@pytest.mark.parametrize(
    ("change", "widget"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 2501}, "prompt"),
        ({"negative_prompt": "x" * 2501}, "negative_prompt"),
        ({"cfg_scale": 1.01}, "cfg_scale"),
        ({"model_name": "kling-v9"}, "model_name"),
        ({"duration": "7"}, "duration"),
        ({"duration": "long"}, "duration"),
        ({"mode": "4k"}, "mode"),
        ({"mode": "fast"}, "mode"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio"),
        ({"sound": "on"}, "sound"),
    ],
)
async def test_what_a_model_can_not_do_is_refused_twice_and_nothing_is_sent(
    artist: Artist, kling: Any, change: dict[str, Any], widget: str
) -> None:
    values = {**WORDS, **change}
    verdict = nodes.KlingTextToVideoNode.VALIDATE_INPUTS(**values)
    assert verdict is not True
    assert widget in str(verdict)
    with pytest.raises(errors.InvalidInput) as caught:
        await nodes.KlingTextToVideoNode().api_call(**values)
    assert caught.value.widget == widget
    assert widget in str(caught.value)
    assert not kling.state.requests


@pytest.mark.parametrize("size", [(299, 400), (1000, 300)])
async def test_a_picture_that_kling_does_not_take_is_refused_by_the_name_of_its_input(
    artist: Artist, kling: Any, size: tuple[int, int]
) -> None:
    with pytest.raises(errors.InvalidInput, match="start_frame: ") as caught:
        await nodes.KlingImage2VideoNode().api_call(start_frame=picture(1, *size), **FRAME_WORDS)
    assert caught.value.widget == "start_frame"
    assert not kling.state.requests


def test_linked_values_are_left_for_later_and_linked_shots_stand_for_the_prompt(artist: Artist) -> None:
    check = nodes.KlingTextToVideoNode.VALIDATE_INPUTS
    assert check(**{**WORDS, "prompt": None}) is True
    assert check(**{**WORDS, "prompt": "", "model_name": "kling-v3", "shots": None}) is True
    assert check(**{**WORDS, "prompt": "", "model_name": "kling-v3", "shots": ABSENT}) is not True
    assert check() is True


def test_an_end_frame_in_mode_std_is_refused_before_anything_runs(artist: Artist) -> None:
    check = nodes.KlingStartEndFrameNode.VALIDATE_INPUTS
    assert str(check(**FRAME_WORDS)).startswith("mode: ")
    assert check(**{**FRAME_WORDS, "mode": "pro"}) is True


@pytest.mark.parametrize(
    ("kind", "movements"),
    [
        ("simple", axes()),
        ("simple", axes(pan=1.0, zoom=-1.0)),
        ("simple", axes(pan=10.01)),
        ("simple", axes(horizontal_movement=-10.01)),
        ("sideways", axes(pan=1.0)),
        ("forward_up", axes(pan=1.0)),
    ],
)
def test_a_camera_move_that_kling_does_not_know_is_refused(
    artist: Artist, kind: str, movements: dict[str, float]
) -> None:
    assert nodes.KlingCameraControls.VALIDATE_INPUTS(camera_control_type=kind, **movements) is not True
    with pytest.raises(errors.InvalidInput):
        nodes.KlingCameraControls().make(kind, **movements)


@pytest.mark.parametrize("value", [-10.0, 0.25, 10.0])
def test_one_axis_inside_the_limits_makes_a_simple_move(artist: Artist, value: float) -> None:
    assert nodes.KlingCameraControls.VALIDATE_INPUTS(camera_control_type="simple", **axes(tilt=value)) is True
    (move,) = nodes.KlingCameraControls().make("simple", **axes(tilt=value))
    assert move.config is not None
    assert move.config.tilt == value


def test_a_ready_made_move_carries_no_numbers(artist: Artist) -> None:
    (move,) = nodes.KlingCameraControls().make("down_back", **axes())
    assert move.config is None


def test_a_seventh_shot_is_refused(artist: Artist) -> None:
    shots: Any = None
    for _ in range(6):
        (shots,) = nodes.KlingTakesShot().make("a door", 1, shots)
    with pytest.raises(errors.InvalidInput, match="at most 6"):
        nodes.KlingTakesShot().make("a door", 1, shots)


def test_each_line_of_a_prompt_list_is_a_prompt(artist: Artist) -> None:
    assert nodes.KlingTakesPromptList().make("  a kite \n\n a boat\r\n") == (["a kite", "a boat"],)
    assert nodes.KlingTakesPromptList.VALIDATE_INPUTS(prompts=" \n ") is not True
    with pytest.raises(errors.InvalidInput):
        nodes.KlingTakesPromptList().make(" \n ")


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c"], ids=ascii)
def test_a_pasted_prompt_stays_one_whatever_marks_are_in_it(artist: Artist, mark: str) -> None:
    pasted = f"a kite{mark}over the sea"
    assert nodes.KlingTakesPromptList().make(pasted) == ([pasted],)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=ascii)
def test_the_ends_of_lines_separate_prompts(artist: Artist, end: str) -> None:
    assert nodes.KlingTakesPromptList().make(f"a kite{end}{end}a boat{end}") == (["a kite", "a boat"],)


@pytest.mark.parametrize("wanted", ["", "a/b", "x" * 129, "https://kling.ai/task"])
def test_what_is_no_id_is_refused_before_anything_runs(artist: Artist, wanted: str) -> None:
    assert "task_id" in str(nodes.KlingTakesRecover.VALIDATE_INPUTS(task_id=wanted))
