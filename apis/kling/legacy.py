"""The dialect under /v1/: the model in the body, one query address per product, success spelled "succeed".

Takes an API key as well as a key pair. Source: Kling docs of 2026-03 with the changes up to 2026-09-20.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from .calls import Call
from .models import ModelSpec
from .requests import CameraType, KlingImage2VideoRequest, KlingText2VideoRequest, VideoRequest, seconds
from .responses import KlingTask, LegacyReply, legacy_task
from .schema import Exact

#: Every product that gives a video, with the address of its tasks; the likeliest first.
PRODUCT_PATHS = {
    "text2video": "/v1/videos/text2video",
    "image2video": "/v1/videos/image2video",
    "omni-video": "/v1/videos/omni-video",
    "motion-control": "/v1/videos/motion-control",
    "avatar": "/v1/videos/avatar/image2video",
    "lip-sync": "/v1/videos/lip-sync",
    "advanced-lip-sync": "/v1/videos/advanced-lip-sync",
    "effects": "/v1/videos/effects",
    "video-extend": "/v1/videos/video-extend",
    "multi-image2video": "/v1/videos/multi-image2video",
    "multi-elements": "/v1/videos/multi-elements",
}


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


class _LegacyBody(Exact):
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


class LegacyText2VideoBody(_LegacyBody):
    """POST /v1/videos/text2video."""

    aspect_ratio: str


class LegacyImage2VideoBody(_LegacyBody):
    """POST /v1/videos/image2video; pictures are base64 without a prefix, the first gives the ratio."""

    image: str | None = None
    image_tail: str | None = None


class LegacyDialect:
    """Translates requests to /v1/ and its answers back."""

    name: Literal["legacy"] = "legacy"

    def create(
        self, request: VideoRequest, spec: ModelSpec, external_task_id: str | None
    ) -> Call[LegacyReply]:
        """The create; the request must have passed `rules.check` and `camera.resolve`."""
        fields = _fields(request, spec, external_task_id)
        body: _LegacyBody
        if isinstance(request, KlingText2VideoRequest):
            body = LegacyText2VideoBody(aspect_ratio=request.aspect_ratio, **fields)
        else:
            body = LegacyImage2VideoBody(**fields, **_pictures(request))
        return Call("POST", PRODUCT_PATHS[request.product], LegacyReply, body=body)

    def query(self, product: str, task_id: str) -> Call[LegacyReply]:
        """The state of one task; ValueError for a product that has no address here."""
        path = PRODUCT_PATHS.get(product)
        if path is None:
            raise ValueError(f"{product} is no product of Kling's; these are: {', '.join(PRODUCT_PATHS)}.")
        return Call("GET", f"{path}/{quote(task_id, safe='')}", LegacyReply)

    def lookup(self, product: str, external_task_id: str) -> Call[LegacyReply]:
        """The same address finds a task by our own id; a miss is HTTP 400 with code 1201."""
        return self.query(product, external_task_id)

    def task(self, reply: LegacyReply, wanted: str | None = None) -> KlingTask | None:
        """The task in an answer; None where it is not the one `wanted` (a task id or an external id).

        Raises ValueError where the answer holds no task, or one without id or status.
        """
        if reply.data is None:
            raise ValueError("Kling's answer holds no task.")
        task = legacy_task(reply.data)
        named = {task.task_id, task.external_task_id}
        # A create's answer may leave our id out; only a different one shows that it is another task.
        if wanted is not None and task.external_task_id is not None and wanted not in named:
            return None
        return task


LEGACY = LegacyDialect()


def _fields(request: VideoRequest, spec: ModelSpec, external_task_id: str | None) -> dict[str, Any]:
    if "legacy" not in spec.dialects:
        raise ValueError(f"{spec.name} has no name under /v1/.")
    fields: dict[str, Any] = {
        "model_name": spec.dialects["legacy"],
        "mode": request.mode,
        "duration": str(seconds(request)),
        "negative_prompt": request.negative_prompt or None,
        "external_task_id": external_task_id,
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


def _pictures(request: KlingImage2VideoRequest) -> dict[str, Any]:
    return {
        "image": request.image.base64() if request.image else None,
        "image_tail": request.image_tail.base64() if request.image_tail else None,
    }
