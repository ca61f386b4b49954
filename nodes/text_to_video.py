"""Text to video, with and without a camera move."""

from __future__ import annotations

from typing import Any

from ..apis.kling.requests import KlingCameraControl, KlingShot, KlingText2VideoRequest
from .base import ABSENT, HIDDEN, TAKE_INPUT, KlingNodeBase


class KlingTextToVideoNode(KlingNodeBase):
    """Makes a video from words."""

    DESCRIPTION = (
        "Describe a scene and Kling makes a video of it. Each take is paid for once: pressing Run again with "
        "the same inputs collects the same video, and another take number buys another version. "
        "The price is shown on the node before the take is bought."
    )
    REQUEST = KlingText2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The inputs of the request, then the take number and what only some models know."""
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

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        prompt: Any = ABSENT,
        negative_prompt: Any = ABSENT,
        model_name: Any = ABSENT,
        cfg_scale: Any = ABSENT,
        mode: Any = ABSENT,
        duration: Any = ABSENT,
        aspect_ratio: Any = ABSENT,
        sound: Any = ABSENT,
        shots: Any = ABSENT,
    ) -> bool | str:
        """Refuse what the model can't do, before anything runs."""
        return cls.check_widgets(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model_name=model_name,
            cfg_scale=cfg_scale,
            mode=mode,
            duration=duration,
            aspect_ratio=aspect_ratio,
            sound=sound,
            shots=shots,
        )

    async def api_call(
        self,
        prompt: str,
        negative_prompt: str,
        model_name: str,
        cfg_scale: float,
        mode: str,
        duration: str,
        aspect_ratio: str,
        take: int = 0,
        sound: str = "off",
        shots: tuple[KlingShot, ...] | None = None,
        **hidden: str | None,
    ) -> tuple[Any, str, str]:
        """Give the video of this take, its Kling id and its length."""
        return await self.deliver(
            {
                "prompt": prompt,
                "negative_prompt": negative_prompt,
                "model_name": model_name,
                "cfg_scale": cfg_scale,
                "mode": mode,
                "duration": duration,
                "aspect_ratio": aspect_ratio,
                "sound": sound,
                "shots": shots,
            },
            take,
            **hidden,
        )


class KlingCameraControlT2VNode(KlingNodeBase):
    """Makes a video from words and a camera move."""

    DESCRIPTION = (
        "Describe a scene and choose how the camera moves through it. No living model of Kling has a camera "
        "field, so the move is added to the prompt in words; the node says so while it runs. Each take is "
        "paid for once."
    )
    REQUEST = KlingText2VideoRequest
    LINKED = ("camera_control",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The inputs of the request with the camera; the model can be chosen, and has a living default."""
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

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        prompt: Any = ABSENT,
        negative_prompt: Any = ABSENT,
        cfg_scale: Any = ABSENT,
        aspect_ratio: Any = ABSENT,
        model_name: Any = ABSENT,
        mode: Any = ABSENT,
        duration: Any = ABSENT,
        sound: Any = ABSENT,
    ) -> bool | str:
        """Refuse what the model can't do, before anything runs."""
        return cls.check_widgets(
            prompt=prompt,
            negative_prompt=negative_prompt,
            cfg_scale=cfg_scale,
            aspect_ratio=aspect_ratio,
            model_name=model_name,
            mode=mode,
            duration=duration,
            sound=sound,
        )

    async def api_call(
        self,
        prompt: str,
        negative_prompt: str,
        cfg_scale: float,
        aspect_ratio: str,
        camera_control: KlingCameraControl,
        take: int = 0,
        model_name: str | None = None,
        mode: str | None = None,
        duration: str | None = None,
        sound: str = "off",
        **hidden: str | None,
    ) -> tuple[Any, str, str]:
        """Give the video of this take, its Kling id and its length."""
        return await self.deliver(
            {
                "prompt": prompt,
                "negative_prompt": negative_prompt,
                "cfg_scale": cfg_scale,
                "aspect_ratio": aspect_ratio,
                "camera_control": camera_control,
                "model_name": model_name,
                "mode": mode,
                "duration": duration,
                "sound": sound,
            },
            take,
            **hidden,
        )
