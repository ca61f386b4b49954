"""What a finished video costs, in Kling's units.

The numbers are those of `apis/kling/models.json`, read as data: a price is written once in this project.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from .order import Order

TABLE = Path(__file__).resolve().parent.parent / "apis" / "kling" / "models.json"
#: Units per second with a voice of the user's own (Kling price page, 2026-09-20); no node offers it.
VOICE = 1.2
#: Units per second of a model that the table does not price, for example one a test made up.
UNPRICED = 1.0


def units(order: Order) -> float:
    """Return the units a finished order costs."""
    listed = _rates().get((order.model, order.mode, order.sound), UNPRICED)
    rate = VOICE if order.voices else listed
    return round(rate * order.seconds, 4)


def show(amount: float) -> str:
    """Return units as Kling writes them: a string without idle zeros ("3", "2.4")."""
    return f"{amount:.4f}".rstrip("0").rstrip(".")


def usd_per_unit() -> float:
    """Return the list price of one video unit in US dollars."""
    return float(_table()["usd_per_unit"])


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


@functools.lru_cache(maxsize=1)
def _rates() -> dict[tuple[str, str, bool], float]:
    rates: dict[tuple[str, str, bool], float] = {}
    for model in _table()["models"].values():
        for name in filter(None, model["dialects"].values()):
            for price in model["prices"]:
                rates[name, price["mode"], price["sound"] == "on"] = price["units_per_second"]
    return rates
