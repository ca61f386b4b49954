"""What Kling answers, in both dialects, and the one task that the rest of the pack sees.

Statuses are open strings: an unknown one means "not finished yet", none at all is an error. Kling adds
fields every few months, so unknown ones are kept and not refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import Field, field_validator

from .schema import Open

#: The code of "invalid parameter", and also of "no such task" and "this id exists": only the text tells.
PARAMETER_CODE = 1201


class Envelope(Open):
    """What is around every answer; `data` may be absent, null, an object or a list."""

    code: int
    message: str = ""
    request_id: str | None = None
    data: Any = None

    @field_validator("message", mode="before")
    @classmethod
    def _no_message(cls, value: Any) -> Any:
        return "" if value is None else value


class Phase(Enum):
    """Where a task stands; UNKNOWN is a status we don't know, to be waited out like PROCESSING."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


#: Kling writes "succeed" on /v1/ and "succeeded" on the new standard (Kling docs, 2026-09-20).
_PHASES = {
    "submitted": Phase.SUBMITTED,
    "processing": Phase.PROCESSING,
    "succeed": Phase.SUCCEEDED,
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
}


@dataclass(frozen=True)
class KlingVideo:
    """One finished video; `duration` is Kling's text in seconds, such as "5.041"."""

    id: str
    url: str
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
    videos: tuple[KlingVideo, ...]
    deducted_units: float | None

    @property
    def phase(self) -> Phase:
        """Where the task stands, whatever the spelling."""
        return _PHASES.get(self.status.strip().lower(), Phase.UNKNOWN)


class LegacyVideo(Open):
    id: str | None = None
    url: str | None = None
    watermark_url: str | None = None
    duration: str | int | float | None = None


class LegacyResult(Open):
    videos: list[LegacyVideo] | None = None


class LegacyTaskInfo(Open):
    external_task_id: str | None = None


class LegacyTask(Open):
    """`data` of a create or a query under /v1/ (Kling docs, 2026-03)."""

    task_id: str | int | None = None
    task_status: str | None = None
    task_status_msg: str | None = None
    task_info: LegacyTaskInfo | None = None
    task_result: LegacyResult | None = None
    final_unit_deduction: str | int | float | None = None
    created_at: float | None = None
    updated_at: float | None = None


class LegacyReply(Envelope):
    """The answer of /v1/ about one task; `data` is None where Kling sent anything but an object."""

    data: LegacyTask | None = None

    @field_validator("data", mode="before")
    @classmethod
    def _only_an_object(cls, value: Any) -> Any:
        return value if isinstance(value, dict | LegacyTask) else None


class StandardOutput(Open):
    type: str | None = None
    id: str | None = None
    url: str | None = None
    watermark_url: str | None = None
    duration: str | int | float | None = None


class StandardBilling(Open):
    charge_type: str | None = None
    amount: str | int | float | None = None
    package_type: str | None = None


class StandardTask(Open):
    """One record of the new standard (Kling docs, 2026-09-20)."""

    id: str | int | None = None
    status: str | None = None
    message: str | None = None
    external_id: str | None = None
    create_time: float | None = None
    update_time: float | None = None
    outputs: list[StandardOutput] | None = None
    billing: list[StandardBilling] | None = None


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
    videos = (task.task_result.videos if task.task_result else None) or []
    return KlingTask(
        task_id=_required(task.task_id, "id"),
        external_task_id=(task.task_info.external_task_id if task.task_info else None) or None,
        status=_required(task.task_status, "status"),
        message=task.task_status_msg or "",
        created_at=_unix_seconds(task.created_at),
        updated_at=_unix_seconds(task.updated_at),
        videos=_videos(videos),
        deducted_units=_number(task.final_unit_deduction),
    )


def standard_task(task: StandardTask) -> KlingTask:
    """The one task from a record of the new standard; ValueError where it has no id or no status."""
    units = [
        _number(entry.amount)
        for entry in task.billing or []
        if entry.charge_type == "unit" and entry.package_type in (None, "video")
    ]
    known = [amount for amount in units if amount is not None]
    return KlingTask(
        task_id=_required(task.id, "id"),
        external_task_id=task.external_id or None,
        status=_required(task.status, "status"),
        message=task.message or "",
        created_at=_unix_seconds(task.create_time),
        updated_at=_unix_seconds(task.update_time),
        videos=_videos(output for output in task.outputs or [] if output.type in (None, "video")),
        deducted_units=sum(known) if known else None,
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


def _videos(found: Iterable[LegacyVideo | StandardOutput]) -> tuple[KlingVideo, ...]:
    return tuple(
        KlingVideo(
            id=video.id or "",
            url=video.url,
            watermark_url=video.watermark_url or "",
            duration="" if video.duration is None else str(video.duration),
        )
        for video in found
        if video.url
    )


def _unix_seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _number(value: str | int | float | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
