"""What Kling answers, in both dialects, and the one task that the rest of the pack sees.

Statuses are open strings: an unknown one means "not finished yet", none at all is an error. Kling adds
fields every few months, so unknown ones are kept and not refused. Only what identifies a task, its status
and its results must have the right form: a time or an amount in a new form is unknown, and no reason to
lose a result that is paid for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from .deduction import Deduction, of_legacy, of_standard
from .schema import Open

#: The code of "invalid parameter", and also of "no such task" and "this id exists": only the text tells.
PARAMETER_CODE = 1201


class Envelope(Open):
    """What is around every answer; ``data`` may be absent, null, an object or a list."""

    code: int
    message: str = ""
    request_id: str | None = None
    data: Any = None

    @field_validator("message", "request_id", mode="before")
    @classmethod
    def _as_text(cls, value: Any, info: ValidationInfo) -> str | None:
        if value is None:
            return "" if info.field_name == "message" else None
        return str(value)


class Phase(Enum):
    """Where a task stands; UNKNOWN is a status we don't know, to be waited out like PROCESSING.

    ENDED is a word for an end that Kling's documents don't have, such as "canceled": whether there is a
    result, and a bill, nobody has said.
    """

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ENDED = "ended"
    UNKNOWN = "unknown"


#: what Kling calls a finished task: "succeed" on ``/v1/``, "succeeded" on the new standard (docs, 2026-09-20)
COMPLETED = ("succeed", "succeeded")
FAILED = ("failed",)
#: words for an end that are in no document of Kling's, and in use at others
ENDED = (
    *("canceled", "cancelled", "expired", "timeout", "timed_out", "aborted", "terminated", "stopped"),
    *("rejected", "deleted", "closed", "error"),
)

_PHASES = {
    "submitted": Phase.SUBMITTED,
    "processing": Phase.PROCESSING,
    **dict.fromkeys(COMPLETED, Phase.SUCCEEDED),
    **dict.fromkeys(FAILED, Phase.FAILED),
    **dict.fromkeys(ENDED, Phase.ENDED),
}

OutputKind = Literal["video", "image", "audio"]


@dataclass(frozen=True)
class Output:
    """One finished result; ``duration`` is Kling's text in seconds, such as "5.041", empty for a picture."""

    kind: OutputKind
    url: str
    id: str = ""
    watermark_url: str = ""
    duration: str = ""


@dataclass(frozen=True)
class KlingTask:
    """A task as either dialect reports it; times are Unix seconds."""

    task_id: str
    external_task_id: str | None
    status: str
    message: str
    created_at: float | None
    updated_at: float | None
    outputs: tuple[Output, ...]
    deduction: Deduction

    @property
    def phase(self) -> Phase:
        """Where the task stands, whatever the spelling."""
        return _PHASES.get(self.status.strip().lower(), Phase.UNKNOWN)


#: a link to one view of an element, which is seen from several sides
_VIEW = re.compile(r"url_[0-9]{1,2}")


class Result(Open):
    """One result in either dialect: a video, a picture, or a sound in one or two formats."""

    type: str | None = None
    id: Any = None
    index: Any = None
    url: str | None = None
    url_mp3: str | None = None
    url_wav: str | None = None
    mp3_url: str | None = None
    wav_url: str | None = None
    watermark_url: Any = None
    duration: Any = None
    duration_mp3: Any = None
    mp3_duration: Any = None
    duration_wav: Any = None
    wav_duration: Any = None

    def links(self) -> list[str]:
        """Return every link: all views of an element, and of a sound in two formats the smaller one."""
        others = sorted((self.model_extra or {}).items())
        views = [value for name, value in others if _VIEW.fullmatch(name) and isinstance(value, str)]
        url = self.url or self.url_mp3 or self.mp3_url or self.url_wav or self.wav_url
        return [link for link in (url, *views) if link]

    def length(self) -> str:
        """Return Kling's text for the length, whatever the field is called; empty for a picture."""
        named = (self.duration, self.duration_mp3, self.mp3_duration, self.duration_wav, self.wav_duration)
        return next((text for text in map(_text, named) if text), "")


def _objects(value: Any) -> Any:
    """Return the objects of a list, or the one in its place: what else stands there must not lose them."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [entry for entry in entries if isinstance(entry, dict | Result)]


Results = Annotated[tuple[Result, ...], BeforeValidator(_objects)]


class LegacyResult(Open):
    videos: Results = ()
    images: Results = ()
    series_images: Results = ()
    audios: Results = ()


class LegacyTaskInfo(Open):
    external_task_id: str | None = None


class LegacyTask(Open):
    """``data`` of a create or a query under /v1/ (Kling docs, 2026-03)."""

    task_id: str | int | None = None
    task_status: str | None = None
    task_status_msg: Any = None
    task_info: LegacyTaskInfo | None = None
    task_result: LegacyResult | None = None
    final_unit_deduction: Any = None
    final_balance_deduction: Any = None
    created_at: Any = None
    updated_at: Any = None


class LegacyReply(Envelope):
    """The answer of /v1/ about one task; ``data`` is None where Kling sent anything but an object."""

    data: LegacyTask | None = None

    @field_validator("data", mode="before")
    @classmethod
    def _only_an_object(cls, value: Any) -> Any:
        return value if isinstance(value, dict | LegacyTask) else None


class StandardTask(Open):
    """One record of the new standard (Kling docs, 2026-09-20)."""

    id: str | int | None = None
    status: str | None = None
    message: Any = None
    external_id: str | None = None
    create_time: Any = None
    update_time: Any = None
    outputs: Results = ()
    billing: Any = None


class StandardReply(Envelope):
    """The answer of the new standard: one record after a create, a list of them after a query."""

    data: list[StandardTask] = Field(default_factory=list)

    @field_validator("data", mode="before")
    @classmethod
    def _always_a_list(cls, value: Any) -> Any:
        if isinstance(value, dict | StandardTask):
            return [value]
        return value if isinstance(value, list) else []


def legacy_task(task: LegacyTask) -> KlingTask:
    """The one task from a record of /v1/; ValueError where it has no id or no status."""
    result = task.task_result or LegacyResult()
    return KlingTask(
        task_id=_required(task.task_id, "id"),
        external_task_id=(task.task_info.external_task_id if task.task_info else None) or None,
        status=_required(task.task_status, "status"),
        message=_text(task.task_status_msg),
        created_at=_unix_seconds(task.created_at),
        updated_at=_unix_seconds(task.updated_at),
        outputs=(
            *_outputs("video", result.videos),
            *_outputs("image", sorted(result.images, key=_place)),
            *_outputs("image", sorted(result.series_images, key=_place)),
            *_outputs("audio", result.audios),
        ),
        deduction=of_legacy(task.final_unit_deduction, task.final_balance_deduction),
    )


def standard_task(task: StandardTask) -> KlingTask:
    """The one task from a record of the new standard; ValueError where it has no id or no status."""
    return KlingTask(
        task_id=_required(task.id, "id"),
        external_task_id=task.external_id or None,
        status=_required(task.status, "status"),
        message=_text(task.message),
        created_at=_unix_seconds(task.create_time),
        updated_at=_unix_seconds(task.update_time),
        outputs=tuple(
            found
            for result in task.outputs
            if (kind := _KINDS.get((result.type or "video").strip().lower())) is not None
            for found in _outputs(kind, [result])
        ),
        deduction=of_standard(task.billing),
    )


def is_not_found(code: int, message: str) -> bool:
    """Whether a refusal means "no such task" (seen live, 2026-07-30: 1201 and a text)."""
    return code == PARAMETER_CODE and "not found by id" in message.lower()


def is_already_exists(code: int, message: str) -> bool:
    """Whether a refused create means "this external id is taken" (seen live, 2026-09-22: 1201 and a text)."""
    text = message.lower()
    return code == PARAMETER_CODE and "external_task_id" in text and "already exists" in text


def _required(value: str | int | None, name: str) -> str:
    text = "" if value is None else str(value).strip()
    if not text:
        raise ValueError(f"Kling's answer about the task has no {name}.")
    return text


#: what the new standard calls a kind of result; one without a type is a video
_KINDS: dict[str, OutputKind] = {"video": "video", "image": "image", "audio": "audio"}


def _outputs(kind: OutputKind, results: Iterable[Result]) -> Iterator[Output]:
    """Yield the results that have a link."""
    for result in results:
        for link in result.links():
            yield Output(
                kind=kind,
                url=link,
                id=_text(result.id),
                watermark_url=_text(result.watermark_url),
                duration=result.length(),
            )


def _place(result: Result) -> float:
    """Return where a picture stands among the others."""
    return _number(result.index) or 0.0


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def _unix_seconds(milliseconds: Any) -> float | None:
    found = _number(milliseconds)
    return found / 1000 if found else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
