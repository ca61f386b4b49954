"""The price on a node before it runs: the graph in the browser asks, the model table answers."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ..apis.kling.draft import Draft
from ..apis.kling.models import ModelTable
from ..apis.kling.products import PRODUCTS
from . import NODE_CLASS_MAPPINGS, host
from .base import KlingNodeBase
from .inputs import model_table

PRICE_PATH = "/kling_takes/price"
WIDGETS_PATH = "/kling_takes/priced_by"


def buying_nodes() -> dict[str, type[KlingNodeBase]]:
    """Return the nodes that buy, by their ids."""
    return {
        node_id: node
        for node_id, node in NODE_CLASS_MAPPINGS.items()
        if issubclass(node, KlingNodeBase) and not getattr(node, "DEPRECATED", False)
    }


def priced_by() -> dict[str, list[str]]:
    """Return the widgets that decide the price of each node that buys; no text of a user's is among them."""
    return {
        node_id: list(PRODUCTS[node.REQUEST.product].priced_by) for node_id, node in buying_nodes().items()
    }


def text_of_price(node_id: str, widgets: Mapping[str, str], table: ModelTable) -> str:
    """Return the price of a take with these widgets in a few words; nothing where there is none."""
    node = buying_nodes().get(node_id)
    if node is None:
        return ""
    product = PRODUCTS[node.REQUEST.product]
    known = {name: widgets[name] for name in product.priced_by if widgets.get(name)}
    draft = Draft.of_widgets(node.REQUEST, known)
    spec = table.get(product.model_name(draft))
    if spec is None or product.problems(draft, table):
        return ""  # what can't be made has no price
    return product.price_in_words(draft, spec, table)


async def answer_price(request: web.Request) -> web.Response:
    """Answer ``GET /kling_takes/price?node=...&model_name=...``, with the widgets of ``priced_by``."""
    return web.json_response(
        {"text": text_of_price(request.query.get("node", ""), request.query, model_table())}
    )


async def answer_widgets(request: web.Request) -> web.Response:
    """Answer ``GET /kling_takes/priced_by``."""
    return web.json_response(priced_by())


def serve() -> None:
    """Add the addresses to ComfyUI's server, where there is one."""
    host.add_route(PRICE_PATH, answer_price)
    host.add_route(WIDGETS_PATH, answer_widgets)
