"""The account's bill: `/account/billing/package` lists the deductions of units, `/balance` those of money.

The rules and the form are those of Kling's pages (2026-09-20). The times of a question are about when a task
was made, not about when it was paid for.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from .account import one_call_a_second, pack_of
from .answers import invalid, invalid_value
from .money import Deduction
from .order import VideoOrder
from .state import State

UNITS, MONEY = "package", "balance"
LIST_MOST = 500
_FIELDS = frozenset({"start_time", "end_time", "limit", "filters", "cursor"})
_RESOLUTION = {"std": "720p", "pro": "1080p", "4k": "4k"}


def listing(state: State, account: str, which: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of the bill, newest first; `which` is UNITS or MONEY.

    A `cursor` stands for the whole question it came with, so everything beside it counts for nothing. Raises
    Refusal 1201 for a question that breaks a rule, 1302 for a second call within a second.
    """
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        raise invalid(f"{unknown[0]} is not a parameter of this interface")
    question = _of_cursor(body["cursor"], which) if body.get("cursor") else _question(body, which)
    one_call_a_second(state, account)
    state.settle_all()
    chosen = [
        entry
        for entry in sorted(state.deductions, key=lambda entry: entry.at, reverse=True)
        if entry.task.account == account
        and (entry.currency == "") == (which == UNITS)
        and question["start"] <= round(entry.task.created_at * 1000) <= question["end"]
        and state.clock() >= entry.at + state.billing_late_seconds
        and _passes(state, entry, question["filters"])
    ]
    first = question["offset"]
    after = first + question["limit"]
    more = after < len(chosen)
    return {
        "result": {
            "detail": [_shown(state, entry) for entry in chosen[first:after]],
            "count": len(chosen[first:after]),
        },
        "next_cursor": _cursor(question | {"offset": after}, which) if more else "",
        "has_more": more,
    }


def _question(body: Mapping[str, Any], which: str) -> dict[str, Any]:
    start, end = (_time(body, name) for name in ("start_time", "end_time"))
    if start >= end:
        raise invalid("start_time must be earlier than end_time")
    limit = body.get("limit", LIST_MOST)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LIST_MOST:
        raise invalid_value("limit", limit)
    return {"start": start, "end": end, "limit": limit, "filters": _filters(body, which), "offset": 0}


def _time(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if value is None:
        raise invalid(f"{name} is required")
    if isinstance(value, bool) or not isinstance(value, int) or len(str(value)) != 13:
        raise invalid_value(name, value)
    return value


def _filters(body: Mapping[str, Any], which: str) -> dict[str, list[str]]:
    listed = body.get("filters") or []
    if not isinstance(listed, list):
        raise invalid_value("filters", listed)
    wanted: dict[str, list[str]] = {}
    for entry in listed:
        key, values = (entry.get("key"), entry.get("values")) if isinstance(entry, Mapping) else (None, None)
        if key not in _FILTERS or (which == MONEY and key != "api_key_name") or not isinstance(values, list):
            raise invalid_value("filters", entry)
        if values:
            wanted[str(key)] = [str(value) for value in values]
    if {"package_name", "package_id"} <= set(wanted):
        raise invalid("package_name and package_id cannot be set at the same time")
    return wanted


#: What each filter compares.
_FILTERS: dict[str, Callable[[State, Deduction], str]] = {
    "api_key_name": lambda _state, entry: entry.task.key_name,
    "product_type": lambda _state, entry: entry.task.package,
    "package_name": lambda state, entry: str(pack_of(state)["resource_pack_name"]),
    "package_id": lambda state, entry: str(pack_of(state)["resource_pack_id"]),
}


def _passes(state: State, entry: Deduction, wanted: Mapping[str, list[str]]) -> bool:
    return all(_FILTERS[key](state, entry) in values for key, values in wanted.items())


def _shown(state: State, entry: Deduction) -> dict[str, Any]:
    task, order = entry.task, entry.task.order
    shown: dict[str, Any] = {
        "task_id": task.id,
        "api_key_name": task.key_name,
        "product_function": (state.products[task.product].product_type or task.product).replace("-", " "),
        "model_name": order.model,
        "deduction_time": str(round(entry.at * 1000)),
        "deduction_amount": entry.amount,
    }
    if isinstance(order, VideoOrder):
        shown |= {"resolution": _RESOLUTION[order.mode], "duration": f"{order.seconds:.2f}"}
        shown |= {"refer_video_input": False, "video_sound": "native" if order.sound else "off"}
        shown["voice_control"] = order.voices
    if entry.currency:
        return shown | {
            "cash_type": "balance",
            "balance_before_deduction": entry.before,
            "balance_after_deduction": round(entry.before - entry.amount, 4),
            "list_price": entry.amount,
            "currency": entry.currency,
        }
    return shown | {
        "package_id": pack_of(state)["resource_pack_id"],
        "product_type": task.package,
        "unit_before_deduction": entry.before,
        "unit_after_deduction": round(entry.before - entry.amount, 4),
    }


def _cursor(question: Mapping[str, Any], which: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([which, question]).encode()).decode()


def _of_cursor(cursor: object, which: str) -> dict[str, Any]:
    try:
        asked, question = json.loads(base64.urlsafe_b64decode(str(cursor).encode()))
    except ValueError:
        raise invalid_value("cursor", cursor) from None
    if asked != which or not isinstance(question, dict):
        raise invalid_value("cursor", cursor)
    return question
