"""How a video from scratch is said in each dialect: the parts that its products share.

The new standard ignores fields it doesn't know and bills the video all the same (seen live, 2026-09-28), so a
body holds exactly what the model's endpoint documents, and nothing is left to a default that would change
the video: ``multi_shot`` is true by default on kling-3.0, so false is written out.
Source: Kling docs of 2026-03 for ``/v1/``, of 2026-09-20 for the new standard.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..camera import CameraType
from ..models import ModelSpec
from ..schema import Exact
from .video import Mode, VideoRequest

Resolution = Literal["720p", "1080p", "4k"]

RESOLUTIONS: dict[Mode, Resolution] = {"std": "720p", "pro": "1080p", "4k": "4k"}


class LegacyCameraConfig(Exact):
    horizontal: float
    vertical: float
    pan: float
    tilt: float
    roll: float
    zoom: float


class LegacyCameraControl(Exact):
    type: CameraType
    config: LegacyCameraConfig | None = None


class LegacyShot(Exact):
    index: int = Field(ge=1)
    prompt: str = Field(min_length=1)
    duration: str


class LegacyVideoBody(Exact):
    """What text to video and image to video take alike."""

    model_name: str
    prompt: str | None = None
    negative_prompt: str | None = None
    cfg_scale: float | None = None
    mode: Literal["std", "pro", "4k"]
    duration: str
    sound: Literal["on", "off"] | None = None
    camera_control: LegacyCameraControl | None = None
    multi_shot: Literal[True] | None = None
    shot_type: Literal["customize"] | None = None
    multi_prompt: tuple[LegacyShot, ...] | None = None
    external_task_id: str | None = None


def legacy_fields(request: VideoRequest, spec: ModelSpec) -> dict[str, Any]:
    """Return the fields of ``LegacyVideoBody``; ValueError where the model has none for what is asked."""
    if "legacy" not in spec.dialects:
        raise ValueError(f"{spec.name} has no name under /v1/.")
    fields: dict[str, Any] = {
        "model_name": spec.dialects["legacy"],
        "mode": request.mode,
        "duration": str(request.seconds),
        "negative_prompt": request.negative_prompt or None,
    }
    if spec.can("cfg_scale"):
        fields["cfg_scale"] = request.cfg_scale
    if spec.can("sound"):
        fields["sound"] = request.sound or "off"
    elif request.sound == "on":
        raise ValueError(f"{spec.name} makes no sound.")
    if request.camera_control is not None:
        if not spec.can("camera_field"):
            raise ValueError(f"{spec.name} has no camera field; the move belongs in the prompt.")
        fields["camera_control"] = request.camera_control.model_dump(exclude_none=True)
    if request.negative_prompt and not spec.can("negative_prompt"):
        raise ValueError(f"{spec.name} has no negative prompt.")
    if request.shots:
        if not spec.can("shots"):
            raise ValueError(f"{spec.name} makes one shot only.")
        fields["multi_shot"] = True
        fields["shot_type"] = "customize"
        fields["multi_prompt"] = tuple(
            LegacyShot(index=index, prompt=shot.prompt, duration=str(shot.duration))
            for index, shot in enumerate(request.shots, start=1)
        )
    else:
        fields["prompt"] = request.prompt
    return fields


class StandardSettings(Exact):
    """``settings``; which of them a model knows is in its ``standard_settings``."""

    resolution: Resolution
    duration: int = Field(ge=1)
    aspect_ratio: str | None = None
    audio: Literal["native", "off"] | None = None
    multi_shot: bool | None = None


def standard_settings(
    request: VideoRequest, spec: ModelSpec, aspect_ratio: str | None = None
) -> StandardSettings:
    """Return the settings that the model knows; ValueError where it has none for what is asked."""
    if "standard" not in spec.dialects:
        raise ValueError(f"{spec.name} has no name in the new standard.")
    if request.negative_prompt:
        raise ValueError("The new standard has no negative prompt.")
    if request.camera_control is not None:
        raise ValueError("The new standard has no camera field; the move belongs in the prompt.")
    if request.sound == "on" and not spec.sound_always and "audio" not in spec.standard_settings:
        raise ValueError(f"{spec.name} makes no sound.")
    if request.sound == "off" and spec.sound_always:
        raise ValueError(f"{spec.name} always makes sound.")
    if request.shots and not spec.can("shots"):
        raise ValueError(f"{spec.name} makes one shot only.")
    fields: dict[str, Any] = {
        "resolution": RESOLUTIONS[request.mode],
        "duration": request.seconds,
        "aspect_ratio": aspect_ratio,
        "audio": "native" if request.sound == "on" else "off",
        "multi_shot": bool(request.shots),
    }
    return StandardSettings(**{name: fields[name] for name in spec.standard_settings if name in fields})
