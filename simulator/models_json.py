"""Files in the form of `apis/kling/models.json`, read as data: the project's own and a user's.

Prices are written once in this project, there. Everything else in the project's file is the pack's opinion,
which the simulator does not share. A user's file is read without judgement: what it lacks or what cannot be
understood is left out, and the pack is the one that explains a broken file.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUILT_IN = Path(__file__).resolve().parent.parent / "apis" / "kling" / "models.json"


@functools.lru_cache(maxsize=1)
def built_in() -> dict[str, Mapping[str, Any]]:
    """Return the entries of the project's own file by name."""
    return entries(BUILT_IN)


def entries(file: Path) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a file by name; none of a file that is missing or broken."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    models = content.get("models") if isinstance(content, Mapping) else None
    if not isinstance(models, Mapping):
        return {}
    return {name: entry for name, entry in models.items() if isinstance(entry, Mapping)}


def named(models: Mapping[str, Mapping[str, Any]], dialect: str, name: str) -> str | None:
    """Return under which key the model stands that has this name in a dialect, or None."""
    return next((key for key, entry in models.items() if part(entry, "dialects").get(dialect) == name), None)


def capabilities(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model can do, by name: lists of conditions, flat in the entry or in `capabilities`."""
    return {**entry, **part(entry, "capabilities")}


def rates(entry: Mapping[str, Any]) -> dict[tuple[str, bool], float]:
    """Return the units per second by (mode, sound); a price with further conditions comes last."""
    found: dict[tuple[str, bool], float] = {}
    for price in sorted(filter(_is_price, listed(entry, "prices")), key=len):
        found.setdefault((str(price.get("mode")), price.get("sound") == "on"), price["units_per_second"])
    return found


def part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object within an entry, an empty one where there is none."""
    value = entry.get(name)
    return value if isinstance(value, Mapping) else {}


def listed(entry: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list within an entry, an empty one where there is none."""
    value = entry.get(name)
    return value if isinstance(value, list) else []


def _is_price(price: object) -> bool:
    return isinstance(price, Mapping) and isinstance(price.get("units_per_second"), int | float)
