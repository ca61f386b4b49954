"""What Kling took for a task: units of a pack, money of the balance, or both. Pure.

``/v1/`` says ``final_unit_deduction`` and ``final_balance_deduction.quota``, the new standard a list
``billing`` (Kling docs, 2026-09-20). An amount in an unknown form is not known, and never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: the sign of each currency that Kling bills in
_SIGNS = {"USD": "$", "CNY": "¥"}


@dataclass(frozen=True)
class Deduction:
    """Units and money taken; None where Kling does not say. ``currency`` is empty where it names none."""

    units: float | None = None
    cash: float | None = None
    currency: str = ""

    def __bool__(self) -> bool:
        """Return whether anything was taken."""
        return bool(self.units or self.cash)

    def __str__(self) -> str:
        """Return it for people: ``1.5 units``, ``$0.21``, or both."""
        parts = [f"{self.units:g} units"] if self.units or (self.units is not None and not self.cash) else []
        if self.cash or (self.cash is not None and self.units is None):
            sign = _SIGNS.get(self.currency, "")
            parts.append(f"{sign}{self.cash:.2f}" + ("" if sign else f" {self.currency}".rstrip()))
        return " and ".join(parts)

    def usd(self, usd_per_unit: float) -> float | None:
        """Return what was taken in US dollars; None where that can't be said, or nothing was taken.

        Money in another currency can't be compared with a limit in dollars: the estimate stands then.
        """
        if not self or (self.cash and self.currency not in ("", "USD")):
            return None
        return (self.units or 0.0) * usd_per_unit + (self.cash or 0.0)


def of_legacy(units: Any, balance: Any) -> Deduction:
    """Return the deduction of a record of ``/v1/``."""
    cash = amount(balance.get("quota")) if isinstance(balance, Mapping) else None
    return Deduction(amount(units), cash)


def of_standard(billing: Any) -> Deduction:
    """Return the sum of the entries ``{charge_type, amount, currency}`` of the new standard."""
    entries = [entry for entry in billing if isinstance(entry, Mapping)] if isinstance(billing, list) else []
    units = _units(entry for entry in entries if entry.get("charge_type") == "unit")
    money = [entry for entry in entries if entry.get("charge_type") == "cash"]
    currencies = {str(entry.get("currency") or "") for entry in money if amount(entry.get("amount"))}
    # Of two currencies there is no sum; a word that is neither keeps it from being taken for dollars.
    currency = currencies.pop() if len(currencies) == 1 else "mixed" if currencies else ""
    return Deduction(units, _sum(entry.get("amount") for entry in money), currency)


def _units(entries: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the units of one kind of pack: those of videos, where there are some.

    A unit of images is worth a fraction of a unit of videos, so the two are never added.
    """
    found: dict[str, float] = {}
    for entry in entries:
        pack, units = str(entry.get("package_type") or "video"), amount(entry.get("amount"))
        if units is not None:
            found[pack] = found.get(pack, 0.0) + units
    return found.get("video", next(iter(found.values()), None))


def _sum(values: Any) -> float | None:
    known = [found for value in values if (found := amount(value)) is not None]
    return sum(known) if known else None


def amount(value: Any) -> float | None:
    """Return an amount; one below zero would give the day's limit room that it does not have."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
