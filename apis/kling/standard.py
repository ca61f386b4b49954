"""The new standard: the model in the path, one query for all products, success spelled "succeeded".

API key only. Its endpoints ignore fields they don't know and bill the video all the same (seen live,
2026-09-28), so a body holds exactly what the model's endpoint documents, and nothing is left to a default
that would change the video: `multi_shot` is true by default on kling-3.0, so false is written out.
Source: Kling docs, 2026-09-20.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from . import shots
from .calls import Call
from .models import ModelSpec
from .requests import KlingImage2VideoRequest, KlingText2VideoRequest, Mode, VideoRequest, seconds
from .responses import KlingTask, StandardReply, standard_task
from .schema import Exact

Resolution = Literal["720p", "1080p", "4k"]

RESOLUTIONS: dict[Mode, Resolution] = {"std": "720p", "pro": "1080p", "4k": "4k"}
_PATHS = {"text2video": "/text-to-video", "image2video": "/image-to-video"}
TASKS_PATH = "/tasks"


class StandardSettings(Exact):
    """`settings`; which of them a model knows is in its `standard_settings`."""

    resolution: Resolution
    duration: int = Field(ge=1)
    aspect_ratio: str | None = None
    audio: Literal["native", "off"] | None = None
    multi_shot: bool | None = None


class StandardOptions(Exact):
    external_task_id: str | None = None


class PromptContent(Exact):
    type: Literal["prompt"] = "prompt"
    text: str = Field(min_length=1)


class FrameContent(Exact):
    """A picture as base64 without a prefix."""

    type: Literal["first_frame", "last_frame"]
    url: str = Field(min_length=1)


Content = Annotated[PromptContent | FrameContent, Field(discriminator="type")]


class StandardTextBody(Exact):
    """POST /text-to-video/{model}."""

    prompt: str = Field(min_length=1)
    settings: StandardSettings
    options: StandardOptions | None = None


class StandardImageBody(Exact):
    """POST /image-to-video/{model}."""

    contents: tuple[Content, ...] = Field(min_length=1)
    settings: StandardSettings
    options: StandardOptions | None = None


class StandardDialect:
    """Translates requests to the new standard and its answers back."""

    name: Literal["standard"] = "standard"

    def create(
        self, request: VideoRequest, spec: ModelSpec, external_task_id: str | None
    ) -> Call[StandardReply]:
        """The create; the request must have passed `rules.check` and `camera.resolve`.

        Raises ValueError where the request holds something the model's endpoint has no field for.
        """
        _refuse_what_has_no_field(request, spec)
        path = f"{_PATHS[request.product]}/{spec.dialects['standard']}"
        settings = _settings(request, spec)
        options = StandardOptions(external_task_id=external_task_id) if external_task_id else None
        prompt = shots.as_prompt(request.shots) if request.shots else request.prompt
        body: StandardTextBody | StandardImageBody
        if isinstance(request, KlingText2VideoRequest):
            body = StandardTextBody(prompt=prompt, settings=settings, options=options)
        else:
            body = StandardImageBody(contents=_contents(request, prompt), settings=settings, options=options)
        return Call("POST", path, StandardReply, body=body)

    def query(self, product: str, task_id: str) -> Call[StandardReply]:
        """The state of one task, of any product."""
        return Call("GET", TASKS_PATH, StandardReply, query={"task_ids": task_id})

    def lookup(self, product: str, external_task_id: str) -> Call[StandardReply]:
        """The task under our own id; a miss is an empty list."""
        return Call("GET", TASKS_PATH, StandardReply, query={"external_task_ids": external_task_id})

    def task(self, reply: StandardReply, wanted: str | None = None) -> KlingTask | None:
        """The task in an answer, or None where it is not there (a task id or an external id as `wanted`).

        Raises ValueError where the record has no id or no status.
        """
        found = [standard_task(record) for record in reply.data]
        if wanted is None:
            return found[0] if found else None
        for task in found:
            if wanted in (task.task_id, task.external_task_id):
                return task
        # A record may leave our id out; only a different one shows that it is another task.
        if len(found) == 1 and found[0].external_task_id is None:
            return found[0]
        return None


STANDARD = StandardDialect()


def _refuse_what_has_no_field(request: VideoRequest, spec: ModelSpec) -> None:
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


def _settings(request: VideoRequest, spec: ModelSpec) -> StandardSettings:
    fields: dict[str, Any] = {
        "resolution": RESOLUTIONS[request.mode],
        "duration": seconds(request),
        "aspect_ratio": getattr(request, "aspect_ratio", None),
        "audio": "native" if request.sound == "on" else "off",
        "multi_shot": bool(request.shots),
    }
    return StandardSettings(**{name: fields[name] for name in spec.standard_settings})


def _contents(request: KlingImage2VideoRequest, prompt: str) -> tuple[PromptContent | FrameContent, ...]:
    contents: list[PromptContent | FrameContent] = []
    if prompt:
        contents.append(PromptContent(text=prompt))
    if request.image is not None:
        contents.append(FrameContent(type="first_frame", url=request.image.base64()))
    if request.image_tail is not None:
        contents.append(FrameContent(type="last_frame", url=request.image_tail.base64()))
    return tuple(contents)
