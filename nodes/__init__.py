"""What a user drags onto the graph: the mappings, and nothing that happens by importing them."""

from __future__ import annotations

from typing import Any

from .account import KlingTakesAccount
from .aliases import OLD_NODES
from .camera_controls import KlingCameraControls
from .image_to_video import KlingCameraControlI2VNode, KlingImage2VideoNode, KlingStartEndFrameNode
from .prompt_list import KlingTakesPromptList
from .recover import KlingTakesRecover
from .shot import KlingTakesShot
from .text_to_video import KlingCameraControlT2VNode, KlingTextToVideoNode

#: each node under its id and its name
NODES: dict[str, tuple[type[Any], str]] = {
    "KlingTakesTextToVideo": (KlingTextToVideoNode, "Kling Text to Video"),
    "KlingTakesImageToVideo": (KlingImage2VideoNode, "Kling Image to Video"),
    "KlingTakesStartEndFrameToVideo": (KlingStartEndFrameNode, "Kling Start-End Frame to Video"),
    "KlingTakesCameraControls": (KlingCameraControls, "Kling Camera Controls"),
    "KlingTakesTextToVideoCameraControl": (
        KlingCameraControlT2VNode,
        "Kling Text to Video (Camera Control)",
    ),
    "KlingTakesImageToVideoCameraControl": (
        KlingCameraControlI2VNode,
        "Kling Image to Video (Camera Control)",
    ),
    "KlingTakesShot": (KlingTakesShot, "Kling Shot"),
    "KlingTakesPromptList": (KlingTakesPromptList, "Kling Prompt List"),
    "KlingTakesRecover": (KlingTakesRecover, "Kling Recover a Take"),
    "KlingTakesAccount": (KlingTakesAccount, "Kling Account"),
}

# Old ids of the same nodes come last, without a display name: ComfyUI would rename its own nodes by it.
NODE_CLASS_MAPPINGS = {node_id: node for node_id, (node, _name) in NODES.items()} | OLD_NODES
NODE_DISPLAY_NAME_MAPPINGS = {node_id: name for node_id, (_node, name) in NODES.items()}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
