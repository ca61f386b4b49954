"""Image to video: from a start frame, with a camera move, or on to an end frame."""

from __future__ import annotations

from typing import Any

from ..apis.kling.products.image_to_video import KlingImage2VideoRequest
from .base import HIDDEN, TAKE_INPUT, KlingVideoNodeBase


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
        words = cls.fields("prompt", "negative_prompt", "model_name", "cfg_scale", "mode", "duration")
        return {
            "required": {**cls.fields("start_frame"), **words},
            "optional": {"take": TAKE_INPUT, **cls.fields("sound", "shots")},
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
        words = cls.fields("prompt", "negative_prompt", "cfg_scale", "camera_control")
        return {
            "required": {**cls.fields("start_frame"), **words},
            "optional": {"take": TAKE_INPUT, **cls.fields("model_name", "mode", "duration", "sound")},
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
        words = cls.fields("prompt", "negative_prompt", "model_name", "cfg_scale")
        size = cls.fields("mode", "duration", mode={"default": "pro"})
        return {
            "required": {**cls.fields("start_frame", "end_frame"), **words, **size},
            "optional": {"take": TAKE_INPUT, **cls.fields("sound", "shots")},
            "hidden": HIDDEN,
        }
