"""Which request is meant: a method and a path become a route. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .answers import Refusal
from .product import Product

PROXY = "/proxy/kling"
ASK_FOR_TASKS = "tasks"
BILLING = "billing"
#: Comfy.org's own, beside the proxy.
RENEW = "/auth/partner-node/renew"


@dataclass(frozen=True)
class Route:
    """What a request asks for: `operation` is the word faults use; `name` the product or the endpoint."""

    operation: str
    dialect: str
    name: str
    argument: str = ""


def find(
    method: str,
    path: str,
    query: Mapping[str, str],
    products: Mapping[str, Product[Any]],
    is_task_id: Callable[[str], bool],
) -> Route:
    """Return the route of a request. `path` starts after a gateway's or the proxy's prefix.

    Raises Refusal 1202 for a wrong method and 1203 for a path that Kling does not have.
    """
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts == ["account", "costs"]:
        return _only(method, "GET", Route("account", "account", "costs"))
    if parts[:-1] == ["account", "billing"] and parts[-1] in ("package", "balance"):
        return _only(method, "POST", Route("account", "standard", BILLING, parts[-1]))
    if parts == [ASK_FOR_TASKS]:
        if method == "POST":
            return Route("list", "standard", ASK_FOR_TASKS)
        asks_external = "external_task_ids" in query and "task_ids" not in query
        return _only(method, "GET", Route("lookup" if asks_external else "query", "standard", ASK_FOR_TASKS))
    return _of_product(method, path.rstrip("/"), products, is_task_id)


def _of_product(
    method: str, path: str, products: Mapping[str, Product[Any]], is_task_id: Callable[[str], bool]
) -> Route:
    for product in products.values():
        if path == product.legacy_path:
            if method == "GET":
                return Route("list", "legacy", product.name)
            return _only(method, "POST", Route("create", "legacy", product.name))
    above, _, last = path.rpartition("/")
    for product in products.values():
        if above == product.legacy_path:
            operation = "query" if is_task_id(unquote(last)) else "lookup"
            return _only(method, "GET", Route(operation, "legacy", product.name, unquote(last)))
        if above == product.standard_path:
            return _only(method, "POST", Route("create", "standard", product.name, unquote(last)))
    raise Refusal(1203)


def _only(method: str, allowed: str, route: Route) -> Route:
    if method != allowed:
        raise Refusal(1202)
    return route


def below(path: str, path_prefix: str) -> tuple[str, bool] | None:
    """Return the path below the gateway's prefix and the proxy's, and whether the proxy was asked.

    None: the prefix that this server was told to have is missing.
    """
    prefix = path_prefix.rstrip("/")
    if prefix and not path.startswith(f"{prefix}/"):
        return None
    path = path[len(prefix) :]
    if path.startswith(f"{PROXY}/"):
        return path[len(PROXY) :], True
    return path, False
