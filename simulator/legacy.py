"""Kling's legacy dialect, `/v1/videos/...`: create, query by either id, list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import prices
from .answers import invalid, invalid_value
from .catalog import IMAGE2VIDEO, TEXT2VIDEO
from .state import SimTask, State

#: Products by their path below /v1/videos/.
CREATES = frozenset({TEXT2VIDEO, IMAGE2VIDEO})
PRODUCTS = CREATES | {
    "omni-video",
    "motion-control",
    "multi-image2video",
    "video-extend",
    "lip-sync",
    "advanced-lip-sync",
    "avatar/image2video",
    "effects",
    "multi-elements",
}
#: Has only ever been found by task id.
NO_EXTERNAL_LOOKUP = frozenset({"advanced-lip-sync"})
RETIRED_PRODUCTS = frozenset({"multi-image2video"})


def created(state: State, task: SimTask) -> dict[str, Any]:
    """Return the `data` of a create's answer."""
    data: dict[str, Any] = {"task_id": task.id, "task_status": "submitted"}
    if task.external_task_id:
        data["task_info"] = {"external_task_id": task.external_task_id}
    return data | {"created_at": _ms(task.created_at), "updated_at": _ms(task.created_at)}


def query(state: State, account: str, product: str, identifier: str, link: Any) -> dict[str, Any]:
    """Return the `data` of one task; `link` makes the signed address of a file.

    Raises Refusal 1201 for an unknown task, in Kling's words.
    """
    task = state.find(account, identifier, dialect="legacy", product=product)
    if task is not None and product in NO_EXTERNAL_LOOKUP and task.id != identifier:
        task = None
    if task is None:
        raise invalid(f"Task not found by id/external id: {identifier}")
    return shown(state, task, link)


def listing(
    state: State, account: str, product: str, query: Mapping[str, str], link: Any
) -> list[dict[str, Any]]:
    """Return one page of the account's tasks of a product, newest first."""
    page, size = _page(query, "pageNum", 1, 1000), _page(query, "pageSize", 30, 500)
    tasks = state.of(account, "legacy", product)
    return [shown(state, task, link) for task in tasks[(page - 1) * size : page * size]]


def shown(state: State, task: SimTask, link: Any) -> dict[str, Any]:
    """Return a task as the legacy dialect shows it: times in ms, prices as strings."""
    status = state.status(task)
    data: dict[str, Any] = {
        "task_id": task.id,
        "task_status": status,
        "task_status_msg": task.message,
        "task_info": {"external_task_id": task.external_task_id} if task.external_task_id else {},
        "created_at": _ms(task.created_at),
        "updated_at": _ms(state.updated_at(task)),
        "watermark_info": {"enabled": task.order.watermark},
    }
    if status == "succeed":
        video = {
            "id": f"{task.id[::-1]}",
            "url": link(task, False),
            "duration": f"{task.order.seconds:.3f}",
        }
        if task.order.watermark:
            video["watermark_url"] = link(task, True)
        data["task_result"] = {"videos": [video]}
    if task.billed_units is not None:
        data["final_unit_deduction"] = prices.show(task.billed_units)
        data["final_balance_deduction"] = {"quota": "0", "list_price": "0"}
    return data


def _page(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = query.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise invalid_value(name, value)
    return int(value)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
