"""What a saved workflow relies on: ids, inputs in their order, outputs. Pinned, so that it loads for ever.

After a change on purpose: ``UPDATE_GOLDEN=1 python3 dev.py test tests/comfyui/test_contract.py``, and read
the difference. A name may be added at the end; none may be renamed, moved or taken away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "nodes.json"
OLD_IDS = [
    "KlingTextToVideoNode",
    "KlingImage2VideoNode",
    "KlingStartEndFrameNode",
    "KlingCameraControls",
    "KlingCameraControlT2VNode",
    "KlingCameraControlI2VNode",
]


def contract(info: dict[str, Any]) -> dict[str, Any]:
    """The parts of a node that graphs are made of."""
    groups = {
        group: {name: entry[0] for name, entry in entries.items()}
        for group, entries in info["input"].items()
        if group != "hidden"
    }
    return {
        "display_name": info["display_name"],
        "category": info["category"],
        "input_order": {group: names for group, names in info["input_order"].items() if group != "hidden"},
        "inputs": groups,
        "hidden": info["input"].get("hidden", {}),
        "output": info["output"],
        "output_name": list(info["output_name"]),
        "output_is_list": list(info["output_is_list"]),
        "output_node": info["output_node"],
        "deprecated": info.get("deprecated", False),
        "api_node": info.get("api_node", False),
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else {}
    return content


def ours(info: dict[str, Any]) -> dict[str, Any]:
    pack = [entry for entry in info.items() if "Kling Takes" in entry[1].get("category", "")]
    return {name: contract(entry) for name, entry in sorted(pack)}


def example(name: str) -> tuple[dict[str, Any], str]:
    """An example in its API form, and the node in it that buys."""
    path = GOLDEN.parents[2] / "example_workflows" / "api" / f"{name}.json"
    workflow: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return workflow, next(key for key, value in workflow.items() if "negative_prompt" in value["inputs"])


def test_the_nodes_are_as_saved_workflows_know_them(comfyui: Any, golden: dict[str, Any]) -> None:
    found = ours(comfyui.object_info())
    if os.environ.get("UPDATE_GOLDEN"):
        golden = {**golden, "nodes": found}
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    assert found == golden["nodes"]


def test_core_keeps_its_own_nodes_and_their_names(comfyui: Any) -> None:
    info = comfyui.object_info()
    for name in OLD_IDS:
        assert "Kling Takes" not in info[name]["category"]


def test_the_old_ids_load_where_core_switches_its_own_off(
    comfyui_factory: Callable[..., Any], golden: dict[str, Any]
) -> None:
    server = comfyui_factory().start({"KLING_BACKEND": "simulator"}, ["--disable-api-nodes"])
    found = ours(server.object_info())
    old = {name: found[name] for name in OLD_IDS}
    if os.environ.get("UPDATE_GOLDEN"):
        golden = json.loads(GOLDEN.read_text(encoding="utf-8")) | {"old": old}
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    assert old == golden["old"]
    assert all(entry["deprecated"] for entry in old.values())


def test_a_refusal_comes_back_from_the_queue_by_the_name_of_the_widget(comfyui: Any) -> None:
    from kling_takes.tests.comfyui.harness import PromptRefused

    workflow, node = example("text_to_video")
    workflow[node]["inputs"]["model_name"] = "kling-v9"
    with pytest.raises(PromptRefused) as caught:
        comfyui.post_prompt(workflow)
    assert any("model_name: there is no model kling-v9" in text for text in caught.value.texts(node))


@pytest.mark.parametrize(
    ("take", "refusal"), [(-1, "value_smaller_than_min"), (2**31, "value_bigger_than_max")]
)
@pytest.mark.parametrize(
    "name",
    ["text_to_video", "image_to_video", "start_end_frame", "camera_control_text", "camera_control_image"],
)
def test_comfyui_itself_refuses_a_take_out_of_bounds(
    comfyui: Any, kling: Any, name: str, take: int, refusal: str
) -> None:
    from kling_takes.tests.comfyui.harness import PromptRefused

    before = len(kling.requests)
    workflow, node = example(name)
    workflow[node]["inputs"]["take"] = take
    with pytest.raises(PromptRefused) as caught:
        comfyui.post_prompt(workflow)
    (error,) = caught.value.node_errors[node]["errors"]
    assert error["type"] == refusal
    assert error["extra_info"]["input_name"] == "take"
    assert len(kling.requests) == before


def test_the_price_of_a_node_can_be_asked_before_it_runs(comfyui: Any) -> None:
    widgets = {"model_name": "kling-v2-5-turbo", "mode": "std", "duration": "5", "sound": "off"}
    answer = comfyui.get("/kling_takes/price", node="KlingTakesTextToVideo", **widgets)
    assert answer == {"text": "1.5 units ($0.21)"}
    assert comfyui.get("/kling_takes/price", node="KlingTakesAccount", **widgets) == {"text": ""}


def test_the_browser_is_told_which_widgets_decide_the_price_of_each_node_that_buys(
    comfyui: Any, golden: dict[str, Any]
) -> None:
    told = comfyui.get("/kling_takes/price")
    for node, widgets in told.items():
        assert set(widgets) <= {
            name for names in golden["nodes"][node]["input_order"].values() for name in names
        }
    buying = {name for name, node in golden["nodes"].items() if "take" in node["inputs"].get("optional", {})}
    assert set(told) == buying
    assert told["KlingTakesTextToVideo"] == ["model_name", "mode", "duration", "sound"]
