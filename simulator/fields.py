"""The fields of a request's JSON body, read and checked one at a time, for every product. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .answers import invalid, invalid_value

#: Not documented; what clients are known to use with success.
EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def text(body: Mapping[str, Any], name: str, limit: int | None) -> str:
    """Return a string field, "" when it is missing or null; more than `limit` characters are refused."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_value(name, value)
    if limit is not None and len(value) > limit:
        raise invalid(f"{name} length cannot exceed {limit}")
    return value


def choice(body: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return a string field that is one of `allowed`; missing or null means `default`."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in allowed:
        raise invalid_value(name, value)
    return value


def flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean field; anything but true, false or nothing is refused."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid_value(name, value)
    return value


def external_id(body: Mapping[str, Any]) -> str | None:
    """Return the client's own id of the task, None when there is none."""
    value = body.get("external_task_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not EXTERNAL_ID.fullmatch(value):
        raise invalid_value("external_task_id", value)
    return value


def watermark(body: Mapping[str, Any]) -> bool:
    """Tell whether a copy with a watermark is asked for; checks `callback_url` on the way."""
    text(body, "callback_url", None)
    return flag(part(body, "watermark_info"), "enabled", False)


def number(name: str, value: object, low: float, high: float) -> float:
    """Return a JSON number within `low`..`high`; a boolean or a string is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid_value(name, value)
    return float(value)


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object within the body, an empty one when it is missing or null."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid_value(name, value)
    return value
