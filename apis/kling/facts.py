"""What is known about a wanted video, from a whole request or from the widgets of a node alone.

ComfyUI asks a node about its widgets before the graph runs, when linked inputs have no value yet. A fact
that is None is not known, and no rule speaks about it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .models import Condition, Dialect, Feature, ModelSpec
from .requests import (
    DURATION_PATTERN,
    KlingCameraControl,
    KlingImage,
    KlingImage2VideoRequest,
    KlingShot,
    Product,
    VideoRequest,
)

_WHOLE_SECONDS = re.compile(DURATION_PATTERN)


@dataclass(frozen=True)
class Facts:
    """The wanted video; `duration` is the widget's text, `shots` is empty where there are none."""

    product: Product
    model_name: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    cfg_scale: float | None = None
    mode: str | None = None
    duration: str | None = None
    aspect_ratio: str | None = None
    sound: str | None = None
    start_frame: bool = True
    end_frame: bool = False
    pictures: tuple[tuple[str, KlingImage], ...] = ()
    camera: KlingCameraControl | None = None
    camera_linked: bool = False
    shots: tuple[KlingShot, ...] = ()
    shots_linked: bool = False

    @property
    def has_shots(self) -> bool:
        """Whether the video is cut from shots, known or still to come."""
        return bool(self.shots) or self.shots_linked

    @property
    def seconds(self) -> int | None:
        """The length of the video, or None where it is not known or no number."""
        if self.shots:
            return sum(shot.duration for shot in self.shots)
        if self.shots_linked or self.duration is None or not _WHOLE_SECONDS.match(self.duration):
            return None
        return int(self.duration)

    def misses(self, condition: Condition, spec: ModelSpec, dialect: Dialect) -> list[str]:
        """The parts of a condition that don't hold for this video."""
        return condition.misses(
            product=self.product,
            mode=self.mode,
            duration=self.seconds,
            sound="on" if spec.makes_sound("on" if self.sound == "on" else "off") else "off",
            dialect=dialect,
            camera_type=self.camera.type if self.camera else None,
        )

    def allowed(self, feature: Feature, spec: ModelSpec, dialect: Dialect) -> bool:
        """Whether the model has the feature for this video."""
        return any(not self.misses(condition, spec, dialect) for condition in spec.conditions(feature))


def of_request(request: VideoRequest) -> Facts:
    """Everything is known."""
    common: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("model_name", "prompt", "negative_prompt", "cfg_scale", "mode", "duration", "sound")
    }
    common["camera"] = request.camera_control
    common["shots"] = request.shots or ()
    if not isinstance(request, KlingImage2VideoRequest):
        return Facts(product=request.product, aspect_ratio=request.aspect_ratio, **common)
    named = (("start_frame", request.image), ("end_frame", request.image_tail))
    return Facts(
        product=request.product,
        start_frame=request.image is not None,
        end_frame=request.image_tail is not None,
        pictures=tuple((widget, picture) for widget, picture in named if picture is not None),
        **common,
    )


def of_widgets(product: Product, values: Mapping[str, Any], linked: Collection[str]) -> Facts:
    """What the widgets say; `linked` names the inputs whose values come from other nodes."""

    def text(name: str) -> str | None:
        value = values.get(name)
        return None if value is None or name in linked else str(value)

    cfg_scale = values.get("cfg_scale")
    return Facts(
        product=product,
        model_name=text("model_name"),
        prompt=text("prompt"),
        negative_prompt=text("negative_prompt"),
        cfg_scale=float(cfg_scale) if isinstance(cfg_scale, int | float) else None,
        mode=text("mode"),
        duration=text("duration"),
        aspect_ratio=text("aspect_ratio") if product == "text2video" else None,
        sound=text("sound"),
        end_frame="end_frame" in linked or values.get("end_frame") is not None,
        camera_linked="camera_control" in linked,
        shots_linked="shots" in linked,
    )
