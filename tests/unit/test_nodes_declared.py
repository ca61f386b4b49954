"""What the nodes declare: their inputs, which of them are judged, and what is said about each."""

from __future__ import annotations

import inspect

import pytest

from kling_takes import nodes
from kling_takes.nodes.aliases import OLD_NODES
from kling_takes.nodes.base import KlingNodeBase
from kling_takes.tests.paper_comfyui import WORDS, Artist, axes

NODES = nodes.NODE_CLASS_MAPPINGS
NEW_IDS = list(nodes.NODE_DISPLAY_NAME_MAPPINGS)
OLD_IDS = [name for name in NODES if name not in NEW_IDS]
#: What each node judges itself, by the names in the signature of its VALIDATE_INPUTS. ComfyUI stops checking
#: these on its own, and goes on with all others: the bounds of ``take``, the choices of a combo.
CAMERA_TEXT = ["prompt", "negative_prompt", "cfg_scale", "aspect_ratio"]
CHOICES = ["model_name", "mode", "duration", "sound"]
FROM_PICTURE = ["prompt", "negative_prompt", "model_name", "cfg_scale", "mode", "duration", "sound", "shots"]
JUDGED: dict[str, list[str]] = {
    "KlingTakesTextToVideo": [*FROM_PICTURE[:-2], "aspect_ratio", "sound", "shots"],
    "KlingTakesImageToVideo": FROM_PICTURE,
    "KlingTakesStartEndFrameToVideo": FROM_PICTURE,
    "KlingTakesTextToVideoCameraControl": [*CAMERA_TEXT, *CHOICES],
    "KlingTakesImageToVideoCameraControl": [*CAMERA_TEXT[:-1], *CHOICES],
    "KlingTakesCameraControls": ["camera_control_type", *axes()],
    "KlingTakesShot": ["prompt"],
    "KlingTakesPromptList": ["prompts"],
    "KlingTakesRecover": ["task_id"],
}
#: the old ids judge what the nodes do that they stand for
STANDS_FOR = {
    "KlingTextToVideoNode": "KlingTakesTextToVideo",
    "KlingImage2VideoNode": "KlingTakesImageToVideo",
    "KlingStartEndFrameNode": "KlingTakesStartEndFrameToVideo",
    "KlingCameraControls": "KlingTakesCameraControls",
    "KlingCameraControlT2VNode": "KlingTakesTextToVideoCameraControl",
    "KlingCameraControlI2VNode": "KlingTakesImageToVideoCameraControl",
}
#: inputs that no field of the request stands for, where there are more than the number of the take
BESIDE = {
    "KlingImage2VideoNode": ["aspect_ratio", "take"],
    "KlingStartEndFrameNode": ["aspect_ratio", "take"],
    "KlingCameraControlI2VNode": ["aspect_ratio", "take"],
}


@pytest.mark.parametrize("name", [name for name in NODES if name != "KlingTakesAccount"])
def test_a_node_judges_the_inputs_it_always_judged(artist: Artist, name: str) -> None:
    # As ComfyUI reads it: the names, and whether there is a ** that would stop all other checks.
    judged = inspect.getfullargspec(NODES[name].VALIDATE_INPUTS)
    assert judged.args == JUDGED[STANDS_FOR.get(name, name)]
    assert judged.varkw is None


def test_the_account_has_nothing_to_judge() -> None:
    assert not hasattr(NODES["KlingTakesAccount"], "VALIDATE_INPUTS")


@pytest.mark.parametrize("name", [name for name, node in NODES.items() if issubclass(node, KlingNodeBase)])
def test_an_input_is_named_as_the_widget_of_its_field(artist: Artist, name: str) -> None:
    node = NODES[name]
    inputs = node.INPUT_TYPES()
    declared = [*inputs["required"], *inputs["optional"]]
    fields = node.REQUEST.fields_by_widget()
    assert [widget for widget in declared if widget not in fields] == BESIDE.get(name, ["take"])
    for widget in declared:
        if widget in fields:
            assert node.REQUEST.widget_of(fields[widget]) == widget
    assert list(node.declared()) == [widget for widget in declared if widget in fields]


@pytest.mark.parametrize("name", NODES)
def test_no_node_has_a_widget_that_draws_a_number_by_itself(artist: Artist, name: str) -> None:
    inputs = NODES[name].INPUT_TYPES()
    for group in ("required", "optional"):
        for widget, entry in inputs.get(group, {}).items():
            assert widget not in ("seed", "noise_seed")
            assert "control_after_generate" not in (entry[1] if len(entry) > 1 else {})


@pytest.mark.parametrize("name", NODES)
def test_every_input_and_output_is_explained(artist: Artist, name: str) -> None:
    node = NODES[name]
    inputs = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for widget, entry in inputs.get(group, {}).items():
            assert entry[1]["tooltip"].endswith("."), (name, widget)
    assert node.DESCRIPTION
    assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_TYPES) == len(node.RETURN_NAMES)


@pytest.mark.parametrize("name", NODES)
def test_no_node_asks_for_a_comfy_login_or_runs_anew_by_itself(artist: Artist, name: str) -> None:
    node = NODES[name]
    assert not hasattr(node, "API_NODE")
    changed = getattr(node, "IS_CHANGED", None)
    assert changed is None or changed() == changed()


@pytest.mark.parametrize("name", [name for name in NEW_IDS if name != "KlingTakesAccount"])
def test_only_the_free_question_about_the_account_is_asked_anew(name: str) -> None:
    assert not hasattr(NODES[name], "IS_CHANGED")


def test_old_ids_are_deprecated_and_rename_nothing() -> None:
    assert len(OLD_IDS) == 6
    for name in OLD_IDS:
        assert NODES[name].DEPRECATED is True
        assert name not in nodes.NODE_DISPLAY_NAME_MAPPINGS
    assert not any(getattr(NODES[name], "DEPRECATED", False) for name in NEW_IDS)


def test_an_old_image_node_keeps_its_widgets_in_their_places(artist: Artist) -> None:
    required = list(OLD_NODES["KlingImage2VideoNode"].INPUT_TYPES()["required"])
    assert required == [
        "start_frame",
        "prompt",
        "negative_prompt",
        "model_name",
        "cfg_scale",
        "mode",
        "aspect_ratio",
        "duration",
    ]


def test_text_to_video_has_the_inputs_of_old_in_their_order_then_the_take(artist: Artist) -> None:
    inputs = nodes.KlingTextToVideoNode.INPUT_TYPES()
    assert list(inputs["required"]) == list(WORDS)
    assert next(iter(inputs["optional"])) == "take"
    assert inputs["hidden"] == {
        "auth_token": "AUTH_TOKEN_COMFY_ORG",
        "comfy_api_key": "API_KEY_COMFY_ORG",
        "unique_id": "UNIQUE_ID",
    }
    assert nodes.KlingTextToVideoNode.FUNCTION == "api_call"
