"""Image to video: a video that starts from a picture, and may end in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from .. import shots
from ..bodies import StandardOptions
from ..draft import Draft
from ..models import DialectName, ModelSpec, ModelTable
from ..pictures import KlingImage, check_picture
from ..problem import Problem
from ..schema import Exact
from .base import without
from .video import VideoProduct, VideoRequest
from .video_bodies import LegacyVideoBody, StandardSettings, legacy_fields, standard_settings

#: what every frame must be, for the artist
FRAME_RULES = (
    "At least 300 pixels a side, no longer than 2.5 times its width or height. Of a batch, the first is used."
)


class KlingImage2VideoRequest(VideoRequest):
    """A video that starts from a picture, and may end in another (Kling docs, image2video, 2026-03)."""

    product: ClassVar[str] = "image2video"

    image: KlingImage | None = Field(
        default=None,
        title="Start frame",
        description=f"The picture the video starts from. {FRAME_RULES}",
        json_schema_extra={"widget": "start_frame"},
    )
    image_tail: KlingImage | None = Field(
        default=None,
        title="End frame",
        description=f"The picture the video ends in; best in the shape of the first. {FRAME_RULES}",
        json_schema_extra={"widget": "end_frame"},
    )
    prompt: str = Field(
        default="",
        title="Prompt",
        description="What happens in the video that starts from this picture.",
        json_schema_extra={"multiline": True},
    )


class LegacyImage2VideoBody(LegacyVideoBody):
    """POST /v1/videos/image2video; pictures are base64 without a prefix, the first gives the ratio."""

    image: str | None = None
    image_tail: str | None = None


class PromptContent(Exact):
    type: Literal["prompt"] = "prompt"
    text: str = Field(min_length=1)


class FrameContent(Exact):
    """A picture as base64 without a prefix."""

    type: Literal["first_frame", "last_frame"]
    url: str = Field(min_length=1)


Content = Annotated[PromptContent | FrameContent, Field(discriminator="type")]


class StandardImageBody(Exact):
    """POST /image-to-video/{model}."""

    contents: tuple[Content, ...] = Field(min_length=1)
    settings: StandardSettings
    options: StandardOptions | None = None


class ImageToVideo(VideoProduct[KlingImage2VideoRequest]):
    """Kling's image to video."""

    name = KlingImage2VideoRequest.product
    request = KlingImage2VideoRequest
    legacy_path = "/v1/videos/image2video"
    standard_path = "/image-to-video"

    def says_enough(self, draft: Draft) -> bool:
        """Return whether a camera move says what happens in the picture."""
        return draft.has("camera_control")

    def picture_problems(
        self,
        draft: Draft,
        spec: ModelSpec,
        table: ModelTable,
        dialect: DialectName,
        known: dict[str, object],
        widgets: dict[str, str],
    ) -> Iterator[Problem]:
        """Yield what is wrong with the frames; a draft of widgets alone has none that could be judged."""
        starts = "image" not in draft.values or draft.has("image")
        ends = draft.has("image_tail")
        if not starts and not ends:
            yield Problem("start_frame", "start_frame: there is no picture. Connect one.")
        elif not starts and not spec.allows("end_frame_only", known):
            text = f"{spec.name} can't make a video from an end frame alone. Connect a start frame."
            yield Problem("start_frame", f"start_frame: {text}")
        elif ends and starts:
            undo = "take the end frame away"
            yield from without("end_frame", "takes an end frame", undo, "end_frame", spec, known, widgets)
        for field in ("image", "image_tail"):
            picture = draft.get(field)
            if isinstance(picture, KlingImage):
                yield from check_picture(self.request.widget_of(field), picture, table.limits[dialect])

    def legacy_body(self, request: KlingImage2VideoRequest, spec: ModelSpec) -> BaseModel:
        """Return the body under ``/v1/``."""
        return LegacyImage2VideoBody(
            image=request.image.base64() if request.image else None,
            image_tail=request.image_tail.base64() if request.image_tail else None,
            **legacy_fields(request, spec),
        )

    def standard_body(self, request: KlingImage2VideoRequest, spec: ModelSpec) -> BaseModel:
        """Return the body in the new standard, which reads shots in the prompt."""
        contents: list[PromptContent | FrameContent] = []
        if prompt := shots.as_prompt(request.shots) if request.shots else request.prompt:
            contents.append(PromptContent(text=prompt))
        if request.image is not None:
            contents.append(FrameContent(type="first_frame", url=request.image.base64()))
        if request.image_tail is not None:
            contents.append(FrameContent(type="last_frame", url=request.image_tail.base64()))
        return StandardImageBody(contents=tuple(contents), settings=standard_settings(request, spec))


IMAGE_TO_VIDEO = ImageToVideo()
