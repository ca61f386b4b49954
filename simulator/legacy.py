"""Kling's legacy dialect, `/v1/...`: what a create, a query by either id and a list answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import prices
from .answers import invalid, invalid_value
from .cdn import Link
from .product import Product
from .results import File, Output
from .state import State
from .task import SimTask


def created(state: State, task: SimTask) -> dict[str, Any]:
    """Return the `data` of a create's answer."""
    data: dict[str, Any] = {"task_id": task.id, "task_status": "submitted"}
    if task.external_task_id:
        data["task_info"] = {"external_task_id": task.external_task_id}
    return data | {"created_at": _ms(task.created_at), "updated_at": _ms(task.created_at)}


def query(state: State, account: str, product: Product[Any], identifier: str, link: Link) -> dict[str, Any]:
    """Return the `data` of one task; `link` makes the signed address of a file.

    Raises Refusal 1201 for an unknown task, in Kling's words.
    """
    task = state.find(account, identifier, dialect="legacy", product=product.name)
    if task is None or (task.id != identifier and not product.found_by_external_id):
        raise invalid(f"Task not found by id/external id: {identifier}")
    return shown(state, task, link)


def listing(
    state: State, account: str, product: Product[Any], query: Mapping[str, str], link: Link
) -> list[dict[str, Any]]:
    """Return one page of the account's tasks of a product, newest first."""
    page, size = _page(query, "pageNum", 1, 1000), _page(query, "pageSize", 30, 500)
    tasks = state.of(account, "legacy", product.name)
    return [shown(state, task, link) for task in tasks[(page - 1) * size : page * size]]


def shown(state: State, task: SimTask, link: Link) -> dict[str, Any]:
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
    if state.shows_results(task):
        data["task_result"] = _result(task, link)
    if task.billed_units is not None:
        data["final_unit_deduction"] = prices.show(task.billed_units)
        cash = prices.show(task.billed_cash)
        data["final_balance_deduction"] = {"quota": cash, "list_price": cash}
    return data


def _result(task: SimTask, link: Link) -> dict[str, list[dict[str, Any]]]:
    """Return `videos`, `images` and `audios`, as far as the task has any."""
    result: dict[str, list[dict[str, Any]]] = {}
    for place, output in enumerate(task.outputs):
        listed = result.setdefault(f"{output.kind}s", [])
        if output.kind == "audio":
            listed.append(_sound(task, place, output, link))
            continue
        file = File(place, output.formats[0])
        shown: dict[str, Any] = {"url": link(task, file, False)}
        if output.kind == "video":
            shown |= {"id": task.output_id(place), "duration": _seconds(output)}
        else:
            shown["index"] = len(listed)
        if task.order.watermark:
            shown["watermark_url"] = link(task, file, True)
        listed.append(shown)
    return result


def _sound(task: SimTask, place: int, output: Output, link: Link) -> dict[str, Any]:
    """Return a sound: with one address, or with an address and a length for each of its formats."""
    shown: dict[str, Any] = {"id": task.output_id(place)}
    for ending in output.formats:
        suffix = f"_{ending}" if len(output.formats) > 1 else ""
        shown[f"url{suffix}"] = link(task, File(place, ending), False)
        shown[f"duration{suffix}"] = _seconds(output)
    return shown


def _seconds(output: Output) -> str:
    return f"{output.seconds:.3f}"


def _page(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = query.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise invalid_value(name, value)
    return int(value)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
