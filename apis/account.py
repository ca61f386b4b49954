"""What the account has left, as text for people and as JSON for programs. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .kling.packs import CostsReply, ResourcePack, concurrency, usable_first


@dataclass(frozen=True)
class AccountSummary:
    """The account's resource packs at Unix time ``asked_at``; Kling's numbers may be twelve hours old."""

    packs: tuple[ResourcePack, ...]
    #: how many videos the account makes at once, None where no pack tells
    concurrency: int | None
    asked_at: float

    def text(self) -> str:
        """One line for the sum, then one for each pack."""
        usable = [pack for pack in self.packs if pack.online]
        if not self.packs:
            return (
                "This account has no resource packs. It may still pay by balance: see the Kling console, "
                "kling.ai/dev."
            )
        units = sum(pack.remaining or 0 for pack in usable)
        at_once = f", {self.concurrency} videos at once" if self.concurrency else ""
        lines = [f"{units:g} units left in {len(usable)} usable pack{'s' * (len(usable) != 1)}{at_once}"]
        lines += [self._line(pack) for pack in self.packs]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON-able values; times are Unix seconds."""
        return {
            "asked_at": self.asked_at,
            "concurrency": self.concurrency,
            "packs": [
                {
                    "name": pack.name,
                    "status": pack.status,
                    "remaining_units": pack.remaining,
                    "total_units": pack.total,
                    "effective_at": pack.effective_at,
                    "expires_at": pack.expires_at,
                    "concurrency": pack.concurrency,
                }
                for pack in self.packs
            ],
        }

    def _line(self, pack: ResourcePack) -> str:
        amount = "? units" if pack.remaining is None else f"{pack.remaining:g}"
        whole = "" if pack.total is None else f" of {pack.total:g} units"
        if pack.expires_at is None:
            until = ""
        else:
            days = (pack.expires_at - self.asked_at) / 86400
            day = day_of(pack.expires_at)
            until = f", ended {day}" if days < 0 else f", until {day} ({days:.0f} days)"
        return f"{pack.name}: {amount}{whole}{until}, {pack.status}"


def day_of(moment: float) -> str:
    """Return the day of a Unix time."""
    try:
        return time.strftime("%Y-%m-%d", time.localtime(moment))
    except (OverflowError, OSError, ValueError):  # Windows knows no time after the year 3000
        return "a far day"


def summarise(reply: CostsReply, now: float) -> AccountSummary:
    """The summary of Kling's answer; ValueError where the answer says nothing about the account."""
    found = usable_first(reply)
    return AccountSummary(found, concurrency(found), now)
