"""The price on a node before it runs: the graph in the browser asks, the model table answers."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from pydantic import ValidationError

from ..apis.kling import price, rules
from ..apis.kling.models import ModelTable
from ..apis.kling.requests import KlingText2VideoRequest
from . import host
from .base import model_table

PATH = "/kling_takes/price"
#: the widgets a price depends on; the prompt is not among them and does not leave the browser
PRICED_BY = ("model_name", "mode", "duration", "sound")


def text_of_price(widgets: Mapping[str, str], table: ModelTable) -> str:
    """The price of a video with these widgets in a few words; nothing where there is none.

    Without ``duration`` (the shots decide it) it is the price of one second.
    """
    known = {name: widgets[name] for name in PRICED_BY if widgets.get(name)}
    spec = table.get(known.get("model_name", ""))
    if spec is None or rules.check_widgets("text2video" if spec.text2video else "image2video", known, table):
        return ""  # what can't be made has no price
    try:
        request = KlingText2VideoRequest.model_validate({"duration": "1", **known})
    except ValidationError:
        return ""
    estimate = price.estimate(request, table)
    if estimate is None:
        return ""
    return str(estimate) if "duration" in known else f"{estimate} a second"


async def answer(request: web.Request) -> web.Response:
    """Answer ``GET /kling_takes/price?model_name=...&mode=...&duration=...&sound=...``."""
    return web.json_response({"text": text_of_price(request.query, model_table())})


def serve() -> None:
    """Add the address to ComfyUI's server, where there is one."""
    host.add_route(PATH, answer)
