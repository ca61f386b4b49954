"""The ids of ComfyUI's own Kling nodes, for old graphs.

ComfyUI drops a custom node whose id its core already has, so these load only where core's API nodes are
switched off. They stay out of the menus.

Some versions of ComfyUI pack model, mode and length of text to video and start-end frame into one widget.
Those two can't take over such a graph's values: ComfyUI refuses them by the name of the widget.
"""

from __future__ import annotations

from typing import Any

from . import camera_controls, image_to_video, text_to_video
from .base import KlingNodeBase


class KlingTextToVideoNode(text_to_video.KlingTextToVideoNode):
    """Text to video under its old id."""

    DEPRECATED = True


class KlingCameraControls(camera_controls.KlingCameraControls):
    """Camera controls under their old id."""

    DEPRECATED = True


class KlingCameraControlT2VNode(text_to_video.KlingCameraControlT2VNode):
    """Text to video with a camera move under its old id."""

    DEPRECATED = True


class _WithAspectRatio(KlingNodeBase):
    """Keeps the widget ``aspect_ratio`` of old graphs in its place; Kling does not use it with a picture.

    A graph stores widget values by position, so without it every value behind it would slip.
    """

    DEPRECATED = True
    AFTER: str

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs of the node, with the old widget behind ``AFTER``."""
        inputs = super().INPUT_TYPES()
        required: dict[str, Any] = {}
        for name, entry in inputs["required"].items():
            required[name] = entry
            if name == cls.AFTER:
                required["aspect_ratio"] = (
                    ["16:9", "9:16", "1:1"],
                    {"default": "16:9", "tooltip": "Not used: the picture decides the shape of the video."},
                )
        return {**inputs, "required": required}


class KlingImage2VideoNode(_WithAspectRatio, image_to_video.KlingImage2VideoNode):
    """Image to video under its old id."""

    AFTER = "mode"


class KlingCameraControlI2VNode(_WithAspectRatio, image_to_video.KlingCameraControlI2VNode):
    """Image to video with a camera move under its old id."""

    AFTER = "cfg_scale"


class KlingStartEndFrameNode(_WithAspectRatio, image_to_video.KlingStartEndFrameNode):
    """Start and end frame to video under its old id."""

    AFTER = "mode"
