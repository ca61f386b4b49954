"""Text to video, with and without a camera move."""

from __future__ import annotations

from typing import Any

from ..apis.kling.products.text_to_video import KlingText2VideoRequest
from .base import HIDDEN, TAKE_INPUT
from .outputs import KlingVideoNodeBase


class KlingTextToVideoNode(KlingVideoNodeBase):
    """Makes a video from words."""

    DESCRIPTION = (
        "Describe a scene and Kling makes a video of it. Each take is paid for once: pressing Run again with "
        "the same inputs collects the same video, and another take number buys another version. "
        "The price is shown on the node before the take is bought."
    )
    REQUEST = KlingText2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs of the request, then the take number and what only some models know."""
        return {
            "required": {
                "prompt": cls.field("STRING", "prompt"),
                "negative_prompt": cls.field("STRING", "negative_prompt"),
                "model_name": cls.field("COMBO", "model_name"),
                "cfg_scale": cls.field("FLOAT", "cfg_scale"),
                "mode": cls.field("COMBO", "mode"),
                "duration": cls.field("COMBO", "duration"),
                "aspect_ratio": cls.field("COMBO", "aspect_ratio"),
            },
            "optional": {
                "take": TAKE_INPUT,
                "sound": cls.field("COMBO", "sound"),
                "shots": cls.field("KLING_SHOTS", "shots"),
            },
            "hidden": HIDDEN,
        }


class KlingCameraControlT2VNode(KlingVideoNodeBase):
    """Makes a video from words and a camera move."""

    DESCRIPTION = (
        "Describe a scene and choose how the camera moves through it. For a model without a camera field the "
        "move is added to the prompt in words; the node says so while it runs. Each take is paid for once."
    )
    REQUEST = KlingText2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs of the request with the camera; the model can be chosen."""
        return {
            "required": {
                "prompt": cls.field("STRING", "prompt"),
                "negative_prompt": cls.field("STRING", "negative_prompt"),
                "cfg_scale": cls.field("FLOAT", "cfg_scale"),
                "aspect_ratio": cls.field("COMBO", "aspect_ratio"),
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
