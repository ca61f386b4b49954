"""Which request is meant: a method and a path become a route. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from . import legacy
from .answers import Refusal
from .state import State

LEGACY = "/v1/videos/"
PROXY = "/proxy/kling"
ASK_FOR_TASKS = "tasks"


@dataclass(frozen=True)
class Route:
    """What a request asks for: `operation` is the word faults use; `name` the product or the endpoint."""

    operation: str
    dialect: str
    name: str
    argument: str = ""


def find(method: str, path: str, query: Mapping[str, str], is_task_id: Callable[[str], bool]) -> Route:
    """Return the route of a request. `path` starts after a gateway's or the proxy's prefix.

    Raises Refusal 1202 for a wrong method and 1203 for a path that Kling does not have.
    """
    if path.startswith(LEGACY):
        return _legacy(method, path[len(LEGACY) :], is_task_id)
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts == ["account", "costs"]:
        return _only(method, "GET", Route("account", "account", "costs"))
    if parts == [ASK_FOR_TASKS]:
        if method == "POST":
            return Route("list", "standard", ASK_FOR_TASKS)
        asks_external = "external_task_ids" in query and "task_ids" not in query
        return _only(method, "GET", Route("lookup" if asks_external else "query", "standard", ASK_FOR_TASKS))
    if len(parts) == 2 and parts[0] in ("text-to-video", "image-to-video"):
        product = {"text-to-video": "text2video", "image-to-video": "image2video"}[parts[0]]
        return _only(method, "POST", Route("create", "standard", product, parts[1]))
    raise Refusal(1203)


def _legacy(method: str, rest: str, is_task_id: Callable[[str], bool]) -> Route:
    raw = rest.rstrip("/")
    if raw in legacy.PRODUCTS:
        if method == "GET":
            return Route("list", "legacy", raw)
        return _only(method, "POST", Route("create", "legacy", raw))
    product, _, identifier = raw.rpartition("/")
    if product not in legacy.PRODUCTS or not identifier:
        raise Refusal(1203)
    identifier = unquote(identifier)
    operation = "query" if is_task_id(identifier) else "lookup"
    return _only(method, "GET", Route(operation, "legacy", product, identifier))


def _only(method: str, allowed: str, route: Route) -> Route:
    if method != allowed:
        raise Refusal(1202)
    return route


def below(path: str, state: State) -> tuple[str, bool] | None:
    """Return the path below the gateway's prefix and the proxy's, and whether the proxy was asked.

    None: the prefix that this server was told to have is missing.
    """
    prefix = state.path_prefix.rstrip("/")
    if prefix and not path.startswith(f"{prefix}/"):
        return None
    path = path[len(prefix) :]
    if path.startswith(f"{PROXY}/"):
        return path[len(PROXY) :], True
    return path, False
