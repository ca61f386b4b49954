"""Text to video, with and without a camera move."""

from __future__ import annotations

from typing import Any

from ..apis.kling.products.text_to_video import KlingText2VideoRequest
from .base import HIDDEN, TAKE_INPUT, KlingVideoNodeBase


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
        words = cls.fields("prompt", "negative_prompt", "model_name", "cfg_scale")
        return {
            "required": {**words, **cls.fields("mode", "duration", "aspect_ratio")},
            "optional": {"take": TAKE_INPUT, **cls.fields("sound", "shots")},
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
        words = cls.fields("prompt", "negative_prompt", "cfg_scale")
        return {
            "required": {**words, **cls.fields("aspect_ratio", "camera_control")},
            "optional": {"take": TAKE_INPUT, **cls.fields("model_name", "mode", "duration", "sound")},
            "hidden": HIDDEN,
        }
