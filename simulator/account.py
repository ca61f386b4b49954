"""The account's own endpoint: `/account/costs`, the resource packs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .answers import Refusal, invalid, invalid_value
from .state import State

#: Kling: "QPS <= 1" (docs, 2026-09-20).
SECONDS_BETWEEN_CALLS = 1.0


def costs(state: State, account: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the `data` of the answer: an envelope of its own around the packs.

    An account without any pack has no list at all, as the real API was seen to answer. Raises Refusal 1201
    without the two times (Unix ms), 1302 for a second call within a second.
    """
    times = [_time(query, name) for name in ("start_time", "end_time")]
    if times[0] > times[1]:
        raise invalid("start_time must not be later than end_time")
    one_call_a_second(state, account)
    data: dict[str, Any] = {"code": 0, "msg": "success"}
    packs = packs_of(state, account)
    wanted = query.get("resource_pack_name")
    if wanted:
        packs = [pack for pack in packs if pack["resource_pack_name"] == wanted]
    if packs:
        data["resource_pack_subscribe_infos"] = packs
    return data


def one_call_a_second(state: State, account: str) -> None:
    """Refuse, with code 1302, a call about the account that comes too soon after the one before."""
    now = state.clock()
    last = state.last_account_at.get(account)
    state.last_account_at[account] = now
    if last is not None and 0 <= now - last < SECONDS_BETWEEN_CALLS:
        raise Refusal(1302)


def packs_of(state: State, account: str) -> list[dict[str, Any]]:
    """Return the account's packs: those of the state, or one made from its balance and its limit."""
    if state.resource_packs is not None:
        return state.resource_packs
    if state.balance_units <= 0:
        return []
    state.settle_all()
    left = state.balance(account)
    return [
        pack_of(state) | {"remaining_quantity": round(left, 4), "status": "online" if left > 0 else "runOut"}
    ]


def pack_of(state: State) -> dict[str, Any]:
    """Return the pack that is made from balance and limit, without what is left of it."""
    bought = round(state.started_at * 1000)
    total = int(state.balance_units)
    return {
        "resource_pack_name": f"Trial-Video-{total}Units-{state.concurrency_limit}Con-6Months",
        "resource_pack_id": "509f3fd3d4f644e7b85d2a2a6a0e5d11",
        "resource_pack_type": "decreasing_total",
        "total_quantity": float(state.balance_units),
        "purchase_time": bought,
        "effective_time": bought,
        "invalid_time": bought + round(state.pack_days * 86_400_000),
    }


def _time(query: Mapping[str, str], name: str) -> int:
    value = query.get(name)
    if value is None:
        raise invalid(f"{name} is required")
    if not value.isascii() or not value.isdigit() or len(value) != 13:
        raise invalid_value(name, value)
    return int(value)
