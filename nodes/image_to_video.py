"""Image to video: from a start frame, with a camera move, or on to an end frame."""

from __future__ import annotations

from typing import Any

from ..apis.kling.requests import KlingCameraControl, KlingImage2VideoRequest, KlingShot
from .base import ABSENT, HIDDEN, TAKE_INPUT, KlingNodeBase

FRAME_RULES = (
    "At least 300 pixels a side, no longer than 2.5 times its width or height. Of a batch, the first is used."
)


class KlingImage2VideoNode(KlingNodeBase):
    """Makes a video that starts from a picture."""

    DESCRIPTION = (
        "Gives a picture life: the video starts from it and follows the prompt. The picture also decides the "
        "shape of the video. Each take is paid for once, and the price is shown on the node before it is "
        "bought."
    )
    REQUEST = KlingImage2VideoRequest

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The start frame and the inputs of the request, then the take and what only some models know."""
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

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        prompt: Any = ABSENT,
        negative_prompt: Any = ABSENT,
        model_name: Any = ABSENT,
        cfg_scale: Any = ABSENT,
        mode: Any = ABSENT,
        duration: Any = ABSENT,
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
            sound=sound,
            shots=shots,
        )

    async def api_call(
        self,
        start_frame: Any,
        prompt: str,
        negative_prompt: str,
        model_name: str,
        cfg_scale: float,
        mode: str,
        duration: str,
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
                "sound": sound,
                "shots": shots,
            },
            take,
            frames={"image": start_frame},
            **hidden,
        )


class KlingCameraControlI2VNode(KlingNodeBase):
    """Makes a video that starts from a picture, with a camera move."""

    DESCRIPTION = (
        "Gives a picture life and moves the camera through it. No living model of Kling has a camera field, "
        "so the move is added to the prompt in words; the node says so while it runs. Each take is paid for "
        "once."
    )
    REQUEST = KlingImage2VideoRequest
    LINKED = ("camera_control",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The start frame, the inputs of the request and the camera; the model has a living default."""
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

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        prompt: Any = ABSENT,
        negative_prompt: Any = ABSENT,
        cfg_scale: Any = ABSENT,
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
            model_name=model_name,
            mode=mode,
            duration=duration,
            sound=sound,
        )

    async def api_call(
        self,
        start_frame: Any,
        prompt: str,
        negative_prompt: str,
        cfg_scale: float,
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
                "camera_control": camera_control,
                "model_name": model_name,
                "mode": mode,
                "duration": duration,
                "sound": sound,
            },
            take,
            frames={"image": start_frame},
            **hidden,
        )


class KlingStartEndFrameNode(KlingNodeBase):
    """Makes a video that goes from one picture to another."""

    DESCRIPTION = (
        "Finds the way between two pictures: the video starts from the first and ends in the second. Some "
        "models do this in mode pro only, and never with sound; the node says so before anything is paid."
    )
    REQUEST = KlingImage2VideoRequest
    FEATURE = "end_frame"
    LINKED = ("end_frame",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Both frames and the inputs of the request, then the take number and what only some models know."""
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

    @classmethod
    def VALIDATE_INPUTS(
        cls,
        prompt: Any = ABSENT,
        negative_prompt: Any = ABSENT,
        model_name: Any = ABSENT,
        cfg_scale: Any = ABSENT,
        mode: Any = ABSENT,
        duration: Any = ABSENT,
        sound: Any = ABSENT,
        shots: Any = ABSENT,
    ) -> bool | str:
        """Refuse what the model can't do between two pictures, before anything runs."""
        return cls.check_widgets(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model_name=model_name,
            cfg_scale=cfg_scale,
            mode=mode,
            duration=duration,
            sound=sound,
            shots=shots,
        )

    async def api_call(
        self,
        start_frame: Any,
        end_frame: Any,
        prompt: str,
        negative_prompt: str,
        model_name: str,
        cfg_scale: float,
        mode: str,
        duration: str,
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
                "sound": sound,
                "shots": shots,
            },
            take,
            frames={"image": start_frame, "image_tail": end_frame},
            **hidden,
        )
