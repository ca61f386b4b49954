"""A real ComfyUI takes the pack as it is."""

from __future__ import annotations

import re
from typing import Any

import pytest

NODES = [
    "KlingTakesTextToVideo",
    "KlingTakesCameraControls",
    "KlingTakesTextToVideoCameraControl",
    "KlingTakesImageToVideo",
    "KlingTakesImageToVideoCameraControl",
    "KlingTakesStartEndFrameToVideo",
    "KlingTakesRecover",
    "KlingTakesShot",
    "KlingTakesAccount",
    "KlingTakesPromptList",
]


def test_the_pack_is_imported_without_a_complaint(comfyui: Any) -> None:
    # Extras of ComfyUI itself may say IMPORT FAILED, for want of packages that only image models use.
    timed = [line for line in comfyui.logs().splitlines() if re.search(r"\d seconds.*kling-takes$", line)]
    assert len(timed) == 1
    assert "IMPORT FAILED" not in timed[0]


@pytest.mark.parametrize("node", NODES)
def test_every_node_is_offered_under_its_own_id(comfyui: Any, node: str) -> None:
    info = comfyui.object_info(node)
    assert info.get("name") == node
    assert info["category"].startswith("Kling Takes")
    assert info["display_name"] != node
    assert info["description"]
