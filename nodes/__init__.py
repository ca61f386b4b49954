"""What a user drags onto the graph: the mappings, and nothing that happens by importing them."""

from __future__ import annotations

from typing import Any

from . import aliases
from .account import KlingTakesAccount
from .camera_controls import KlingCameraControls
from .image_to_video import KlingCameraControlI2VNode, KlingImage2VideoNode, KlingStartEndFrameNode
from .prompt_list import KlingTakesPromptList
from .recover import KlingTakesRecover
from .shot import KlingTakesShot
from .text_to_video import KlingCameraControlT2VNode, KlingTextToVideoNode

NODE_CLASS_MAPPINGS: dict[str, type[Any]] = {
    "KlingTakesTextToVideo": KlingTextToVideoNode,
    "KlingTakesImageToVideo": KlingImage2VideoNode,
    "KlingTakesStartEndFrameToVideo": KlingStartEndFrameNode,
    "KlingTakesCameraControls": KlingCameraControls,
    "KlingTakesTextToVideoCameraControl": KlingCameraControlT2VNode,
    "KlingTakesImageToVideoCameraControl": KlingCameraControlI2VNode,
    "KlingTakesShot": KlingTakesShot,
    "KlingTakesPromptList": KlingTakesPromptList,
    "KlingTakesRecover": KlingTakesRecover,
    "KlingTakesAccount": KlingTakesAccount,
    # Deprecated ids of the same nodes. They get no display name: ComfyUI would rename its own nodes by it.
    "KlingTextToVideoNode": aliases.KlingTextToVideoNode,
    "KlingImage2VideoNode": aliases.KlingImage2VideoNode,
    "KlingStartEndFrameNode": aliases.KlingStartEndFrameNode,
    "KlingCameraControls": aliases.KlingCameraControls,
    "KlingCameraControlT2VNode": aliases.KlingCameraControlT2VNode,
    "KlingCameraControlI2VNode": aliases.KlingCameraControlI2VNode,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "KlingTakesTextToVideo": "Kling Text to Video",
    "KlingTakesImageToVideo": "Kling Image to Video",
    "KlingTakesStartEndFrameToVideo": "Kling Start-End Frame to Video",
    "KlingTakesCameraControls": "Kling Camera Controls",
    "KlingTakesTextToVideoCameraControl": "Kling Text to Video (Camera Control)",
    "KlingTakesImageToVideoCameraControl": "Kling Image to Video (Camera Control)",
    "KlingTakesShot": "Kling Shot",
    "KlingTakesPromptList": "Kling Prompt List",
    "KlingTakesRecover": "Kling Recover a Take",
    "KlingTakesAccount": "Kling Account",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
