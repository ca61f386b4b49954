"""Image to video: from a start frame, with a camera move, or on to an end frame."""

from __future__ import annotations

from typing import Any

from ..apis.kling.products.image_to_video import KlingImage2VideoRequest
from .base import HIDDEN, TAKE_INPUT
from .outputs import KlingVideoNodeBase

FRAME_RULES = (
    "At least 300 pixels a side, no longer than 2.5 times its width or height. Of a batch, the first is used."
)


class KlingImage2VideoNode(KlingVideoNodeBase):
    """Makes a video that starts from a picture."""

    DESCRIPTION = (
        "Gives a picture life: the video starts from it and follows the prompt. The picture also decides the "
        "shape of the video. Each take is paid for once, and the price is shown on the node before it is "
        "bought."
    )
    REQUEST = KlingImage2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the start frame and the request's inputs, then the take and what only some models know."""
        return {
            "required": {
                "start_frame": cls.field(
                    "IMAGE", "image", tooltip=f"The picture the video starts from. {FRAME_RULES}"
                ),
                "prompt": cls.field("STRING", "prompt"),
                "negative_prompt": cls.field("STRING", "negative_prompt"),
                "model_name": cls.field("COMBO", "model_name"),
                "cfg_scale": cls.field("FLOAT", "cfg_scale"),
                "mode": cls.field("COMBO", "mode"),
                "duration": cls.field("COMBO", "duration"),
            },
            "optional": {
                "take": TAKE_INPUT,
                "sound": cls.field("COMBO", "sound"),
                "shots": cls.field("KLING_SHOTS", "shots"),
            },
            "hidden": HIDDEN,
        }


class KlingCameraControlI2VNode(KlingVideoNodeBase):
    """Makes a video that starts from a picture, with a camera move."""

    DESCRIPTION = (
        "Gives a picture life and moves the camera through it. For a model without a camera field the move "
        "is added to the prompt in words; the node says so while it runs. Each take is paid for once."
    )
    REQUEST = KlingImage2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the start frame, the inputs of the request and the camera."""
        return {
            "required": {
                "start_frame": cls.field(
                    "IMAGE", "image", tooltip=f"The picture the video starts from. {FRAME_RULES}"
                ),
                "prompt": cls.field("STRING", "prompt"),
                "negative_prompt": cls.field("STRING", "negative_prompt"),
                "cfg_scale": cls.field("FLOAT", "cfg_scale"),
                "camera_control": cls.field("CAMERA_CONTROL", "camera_control"),
            },
            "optional": {
                "take": TAKE_INPUT,
                "model_name": cls.field("COMBO", "model_name"),
                "mode": cls.field("COMBO", "mode"),
                "duration": cls.field("COMBO", "duration"),
                "sound": cls.field("COMBO", "sound"),
            },
            "hidden": HIDDEN,
        }


class KlingStartEndFrameNode(KlingVideoNodeBase):
    """Makes a video that goes from one picture to another."""

    DESCRIPTION = (
        "Finds the way between two pictures: the video starts from the first and ends in the second. Where a "
        "model does this in some modes only, or only without sound, the node says so before anything is paid."
    )
    REQUEST = KlingImage2VideoRequest
    FEATURES = ("end_frame",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return both frames and the request's inputs, then the take and what only some models know."""
        return {
            "required": {
                "start_frame": cls.field(
                    "IMAGE", "image", tooltip=f"The picture the video starts from. {FRAME_RULES}"
                ),
                "end_frame": cls.field(
                    "IMAGE",
                    "image_tail",
                    tooltip=f"The picture the video ends in; best in the shape of the first. {FRAME_RULES}",
                ),
                "prompt": cls.field("STRING", "prompt"),
                "negative_prompt": cls.field("STRING", "negative_prompt"),
                "model_name": cls.field("COMBO", "model_name"),
                "cfg_scale": cls.field("FLOAT", "cfg_scale"),
                "mode": cls.field("COMBO", "mode", default="pro"),
                "duration": cls.field("COMBO", "duration"),
            },
            "optional": {
                "take": TAKE_INPUT,
                "sound": cls.field("COMBO", "sound"),
                "shots": cls.field("KLING_SHOTS", "shots"),
            },
            "hidden": HIDDEN,
        }
