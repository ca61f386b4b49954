"""Text to video: a video made from words."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from .. import shots
from ..bodies import StandardOptions
from ..models import ModelSpec
from ..schema import Exact
from .video import VideoProduct, VideoRequest
from .video_bodies import (
    LegacyVideoBody,
    StandardSettings,
    legacy_fields,
    standard_settings,
)


class KlingText2VideoRequest(VideoRequest):
    """A video made from words (Kling docs, text2video, 2026-03)."""

    product: ClassVar[str] = "text2video"

    prompt: str = Field(
        default="",
        title="Prompt",
        description="What happens in the video: subject, action, place, light, camera.",
        json_schema_extra={"multiline": True},
    )
    aspect_ratio: str = Field(
        default="16:9",
        pattern=r"^[0-9]{1,2}:[0-9]{1,2}$",
        title="Aspect ratio",
        description="Width to height of the video.",
    )


class LegacyText2VideoBody(LegacyVideoBody):
    """POST /v1/videos/text2video."""

    aspect_ratio: str


class StandardTextBody(Exact):
    """POST /text-to-video/{model}."""

    prompt: str = Field(min_length=1)
    settings: StandardSettings
    options: StandardOptions | None = None


class TextToVideo(VideoProduct[KlingText2VideoRequest]):
    """Kling's text to video."""

    name = KlingText2VideoRequest.product
    request = KlingText2VideoRequest
    legacy_path = "/v1/videos/text2video"
    standard_path = "/text-to-video"
    needed_settings = frozenset({"aspect_ratio"})

    def lack_of(self, spec: ModelSpec) -> str | None:
        """Return what an entry of the model table lacks, the aspect ratios among it."""
        if not spec.aspect_ratios:
            return f"aspect_ratios is empty, and {self.name} needs one"
        return super().lack_of(spec)

    def legacy_body(self, request: KlingText2VideoRequest, spec: ModelSpec) -> BaseModel:
        """Return the body under ``/v1/``."""
        return LegacyText2VideoBody(aspect_ratio=request.aspect_ratio, **legacy_fields(request, spec))

    def standard_body(self, request: KlingText2VideoRequest, spec: ModelSpec) -> BaseModel:
        """Return the body in the new standard, which reads shots in the prompt."""
        prompt = shots.as_prompt(request.shots) if request.shots else request.prompt
        settings = standard_settings(request, spec, request.aspect_ratio)
        return StandardTextBody(prompt=prompt, settings=settings)


TEXT_TO_VIDEO = TextToVideo()
