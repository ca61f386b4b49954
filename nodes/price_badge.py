"""The price on a node before it runs: the graph in the browser asks, the model table answers."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ..apis.kling.products import PRODUCTS
from . import NODE_CLASS_MAPPINGS
from .base import KlingNodeBase
from .inputs import model_table

PATH = "/kling_takes/price"


def priced_by() -> dict[str, list[str]]:
    """Return the widgets that decide the price of each node that buys; no text of a user's is among them."""
    return {
        node_id: list(PRODUCTS[node.REQUEST.product].priced_by)
        for node_id, node in NODE_CLASS_MAPPINGS.items()
        if issubclass(node, KlingNodeBase) and not getattr(node, "DEPRECATED", False)
    }


def text_of_price(node_id: str, widgets: Mapping[str, str]) -> str:
    """Return the price of a take of this node in a few words; nothing where there is none."""
    if node_id not in priced_by():
        return ""
    return PRODUCTS[NODE_CLASS_MAPPINGS[node_id].REQUEST.product].badge(widgets, model_table())


async def answer(request: web.Request) -> web.Response:
    """Answer ``GET /kling_takes/price?node=...`` and its widgets; without a node, which widgets those are."""
    node_id = request.query.get("node")
    if node_id is None:
        return web.json_response(priced_by())
    return web.json_response({"text": text_of_price(node_id, request.query)})
