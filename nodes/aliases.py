"""The ids of ComfyUI's own Kling nodes, for old graphs.

ComfyUI drops a custom node whose id its core already has, so these load only where core's API nodes are
switched off. They stay out of the menus.

Some versions of ComfyUI pack model, mode and length of text to video and start-end frame into one widget.
Those two can't take over such a graph's values: ComfyUI refuses them by the name of the widget.
"""

from __future__ import annotations

from typing import Any

from .camera_controls import KlingCameraControls
from .image_to_video import KlingCameraControlI2VNode, KlingImage2VideoNode, KlingStartEndFrameNode
from .text_to_video import KlingCameraControlT2VNode, KlingTextToVideoNode

#: A graph stores widget values by position, so this widget of old graphs keeps its place, or every value
#: behind it would slip. Kling does not use it with a picture.
ASPECT_RATIO = (
    ["16:9", "9:16", "1:1"],
    {"default": "16:9", "tooltip": "Not used: the picture decides the shape of the video."},
)


def under_its_old_id(node: type[Any], aspect_ratio_after: str | None = None) -> type[Any]:
    """Return a node as old graphs have it, with the widget ``aspect_ratio`` behind another where it was."""

    def input_types(cls: type[Any]) -> dict[str, Any]:
        inputs: dict[str, Any] = node.INPUT_TYPES()
        required: dict[str, Any] = {}
        for name, entry in inputs["required"].items():
            required[name] = entry
            if name == aspect_ratio_after:
                required["aspect_ratio"] = ASPECT_RATIO
        return {**inputs, "required": required}

    own = {"DEPRECATED": True, "INPUT_TYPES": classmethod(input_types), "__doc__": node.__doc__}
    return type(node.__name__, (node,), own)


OLD_NODES = {
    "KlingTextToVideoNode": under_its_old_id(KlingTextToVideoNode),
    "KlingImage2VideoNode": under_its_old_id(KlingImage2VideoNode, "mode"),
    "KlingStartEndFrameNode": under_its_old_id(KlingStartEndFrameNode, "mode"),
    "KlingCameraControls": under_its_old_id(KlingCameraControls),
    "KlingCameraControlT2VNode": under_its_old_id(KlingCameraControlT2VNode),
    "KlingCameraControlI2VNode": under_its_old_id(KlingCameraControlI2VNode, "cfg_scale"),
}
