"""The account's resource packs: how many units are left, until when, and how many tasks run at once.

Source: Kling docs, 2026-09-20. ``remaining_quantity`` is up to twelve hours old. One request a second at
most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, field_validator

from .endpoint import ApiEndpoint, HttpMethod
from .responses import Envelope
from .schema import Open

PATH = "/account/costs"

_CONCURRENCY = re.compile(r"(\d+)Con", re.IGNORECASE)


class PackInfo(Open):
    resource_pack_name: str | None = None
    resource_pack_id: str | int | None = None
    resource_pack_type: str | None = None
    total_quantity: float | None = None
    remaining_quantity: float | None = None
    purchase_time: float | None = None
    effective_time: float | None = None
    invalid_time: float | None = None
    status: str | None = None


class CostsData(Open):
    """The inner envelope; without any pack the list is absent (seen live, 2026-08-26)."""

    code: int = 0
    msg: str | None = None
    packs: list[PackInfo] = Field(default_factory=list, alias="resource_pack_subscribe_infos")

    @field_validator("packs", mode="before")
    @classmethod
    def _no_packs(cls, value: Any) -> Any:
        return [] if value is None else value


class CostsReply(Envelope):
    data: CostsData | None = None


@dataclass(frozen=True)
class ResourcePack:
    """One pack; times are Unix seconds, ``concurrency`` is None where the pack's name doesn't tell."""

    name: str
    remaining: float | None
    total: float | None
    effective_at: float | None
    expires_at: float | None
    status: str
    concurrency: int | None

    @property
    def online(self) -> bool:
        """Whether the pack can be used now."""
        return self.status == "online"


def asked_for(start: float, end: float) -> ApiEndpoint[BaseModel, CostsReply]:
    """Return where the packs bought between two times in Unix seconds are."""
    query = {"start_time": str(round(start * 1000)), "end_time": str(round(end * 1000))}
    return ApiEndpoint(PATH, HttpMethod.GET, None, CostsReply, query)


def usable_first(reply: CostsReply) -> tuple[ResourcePack, ...]:
    """Return the packs in an answer, usable ones first, then by the day they end.

    Raises ValueError where the inner envelope refuses or is not there.
    """
    if reply.data is None:
        raise ValueError("Kling's answer says nothing about the account.")
    if reply.data.code != 0:
        raise ValueError(f"Kling did not tell the account's packs: {reply.data.msg or reply.data.code}.")
    found = [_pack(info) for info in reply.data.packs]
    return tuple(sorted(found, key=lambda pack: (not pack.online, pack.expires_at or float("inf"))))


def concurrency(found: tuple[ResourcePack, ...]) -> int | None:
    """Return how many video tasks the account runs at once: the highest among its usable video packs.

    None where no usable pack tells it in its name ("Trial-Video-100Units-5Con-1Months").
    """
    known = [
        pack.concurrency
        for pack in found
        if pack.online and pack.concurrency is not None and "image" not in pack.name.lower()
    ]
    return max(known, default=None)


def _pack(info: PackInfo) -> ResourcePack:
    name = info.resource_pack_name or "unnamed pack"
    told = _CONCURRENCY.search(name)
    return ResourcePack(
        name=name,
        remaining=info.remaining_quantity,
        total=info.total_quantity,
        effective_at=_seconds(info.effective_time),
        expires_at=_seconds(info.invalid_time),
        status=info.status or "unknown",
        concurrency=int(told.group(1)) if told else None,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None
