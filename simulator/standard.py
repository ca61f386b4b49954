"""Kling's new design standard: what a create and the one task query answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from . import prices
from .answers import invalid, invalid_value
from .cdn import Link
from .results import File
from .state import State
from .task import SimTask

IDS_PER_CALL = 20
LIST_DEFAULT, LIST_MOST = 100, 500
DEFAULT_SPAN = 30 * 86400.0  # seconds
FILTERS = ("status", "product_type")
STATUS = {"succeed": "succeeded"}


def created(state: State, task: SimTask) -> dict[str, Any]:
    """Return the `data` of a create's answer; the client's id comes back as `external_id`."""
    data: dict[str, Any] = {
        "id": task.id,
        "status": "submitted",
        "message": "",
        "create_time": _ms(task.created_at),
        "update_time": _ms(task.created_at),
    }
    return data | ({"external_id": task.external_task_id} if task.external_task_id else {})


def query(state: State, account: str, query: Mapping[str, str], link: Link) -> list[dict[str, Any]]:
    """Return the tasks asked for, by `task_ids` or by `external_task_ids`; unknown ones are left out."""
    by_id, by_external = (_ids(query, name) for name in ("task_ids", "external_task_ids"))
    if by_id and by_external:
        raise invalid("task_ids and external_task_ids cannot be used together")
    wanted = by_id or by_external
    if not wanted:
        raise invalid("task_ids or external_task_ids is required")
    if len(wanted) > IDS_PER_CALL:
        raise invalid(f"at most {IDS_PER_CALL} ids can be queried at once")
    if by_id:
        found = [state.tasks.get(identifier) for identifier in wanted]
    else:
        found = [state.find_external(account, identifier) for identifier in wanted]
    mine = {
        task.id: task
        for task in found
        if task is not None and task.account == account and task.dialect == "standard"
        if not state.is_hidden(task)
    }
    return [shown(state, task, link) for task in mine.values()]


def listing(state: State, account: str, body: Mapping[str, Any], link: Link) -> dict[str, Any]:
    """Return one page of the account's tasks, newest first, and the cursor of the next."""
    now = state.clock()
    end = _time(body, "end_time", now)
    start = _time(body, "start_time", end - DEFAULT_SPAN)
    limit = body.get("limit", LIST_DEFAULT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LIST_MOST:
        raise invalid_value("limit", limit)
    wanted = _filters(body)
    chosen = [
        task
        for task in state.of(account, "standard")
        if start <= task.created_at <= end
        and _passes(wanted, "status", _status(state, task))
        and _passes(wanted, "product_type", state.products[task.product].product_type)
    ]
    first = _offset(body.get("cursor"))
    after = first + limit
    return {
        "result": [shown(state, task, link) for task in chosen[first:after]],
        "count": len(chosen[first:after]),
        "next_cursor": _cursor(after) if after < len(chosen) else "",
        "has_more": after < len(chosen),
    }


def shown(state: State, task: SimTask, link: Link) -> dict[str, Any]:
    """Return a task as the new standard shows it."""
    status = _status(state, task)
    data: dict[str, Any] = {
        "id": task.id,
        "status": status,
        "message": task.message,
        "create_time": _ms(task.created_at),
        "update_time": _ms(state.updated_at(task)),
        "outputs": [],
    }
    if task.external_task_id:
        data["external_id"] = task.external_task_id
    if state.shows_results(task):
        data["outputs"] = [_output(task, place, link) for place in range(len(task.outputs))]
    if task.billed_units is not None:
        data["billing"] = _billing(task, task.billed_units)
    return data


def _billing(task: SimTask, units: float) -> list[dict[str, str]]:
    """Return what was taken: units, or money, or both; for nothing an entry of zero units."""
    billing = []
    if units or not task.billed_cash:
        billing.append({"charge_type": "unit", "amount": prices.show(units), "package_type": task.package})
    if task.billed_cash:
        cash = prices.show(task.billed_cash)
        billing.append(
            {
                "charge_type": "cash",
                "amount": cash,
                "cash_type": "balance",
                "currency": task.currency,
                "list_price": cash,
            }
        )
    return billing


def _output(task: SimTask, place: int, link: Link) -> dict[str, Any]:
    output = task.outputs[place]
    shown: dict[str, Any] = {"type": output.kind}
    length = f"{output.seconds:.3f}"
    if output.kind == "audio":
        shown["id"] = task.output_id(place)
        for ending in output.formats:
            shown[f"{ending}_url"] = link(task, File(place, ending), False)
            shown[f"{ending}_duration"] = length
        return shown
    file = File(place, output.formats[0])
    shown["url"] = link(task, file, False)
    if output.kind == "video":
        shown |= {"id": task.output_id(place), "duration": length}
    else:
        shown["group_id"] = task.output_id(0)  # pictures that were made together
    if task.order.watermark:
        shown["watermark_url"] = link(task, file, True)
    return shown


def _status(state: State, task: SimTask) -> str:
    status = state.status(task)
    return STATUS.get(status, status)


def _ids(query: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def _time(body: Mapping[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
        raise invalid_value(name, value)
    return int(value) / 1000


def _filters(body: Mapping[str, Any]) -> dict[str, list[str]]:
    listed = body.get("filters") or []
    if not isinstance(listed, list):
        raise invalid_value("filters", listed)
    wanted: dict[str, list[str]] = {}
    for entry in listed:
        key = entry.get("key") if isinstance(entry, Mapping) else None
        values = entry.get("values") if isinstance(entry, Mapping) else None
        if key not in FILTERS or not isinstance(values, list):
            raise invalid_value("filters", entry)
        wanted[str(key)] = [str(value) for value in values]
    return wanted


def _passes(wanted: Mapping[str, list[str]], key: str, value: str) -> bool:
    return key not in wanted or value in wanted[key]


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(cursor: object) -> int:
    if cursor is None or cursor == "":
        return 0
    try:
        return int(base64.urlsafe_b64decode(str(cursor).encode()))
    except (binascii.Error, ValueError):
        raise invalid_value("cursor", cursor) from None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
