"""A server that repeats the credential it was sent, in every text it can send.

`State.echo` says how much of it: the whole, or a part. What a client must be able to read stays readable:
numbers, links, ids and the words for a status.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

#: Texts that a client acts upon.
_WORDS = frozenset(
    {"status", "task_status", "charge_type", "package_type", "cash_type", "currency", "product_type"}
    | {"external_task_id", "external_id", "next_cursor", "token", "id", "task_id"}
)


def credential_of(headers: Mapping[str, str]) -> str:
    """Return what a request proves itself by: its bearer token, or its Comfy.org key."""
    return headers.get("Authorization", "").partition(" ")[2] or headers.get("X-API-KEY", "")


def echoed(request: web.Request, response: web.Response, echo: Callable[[str], str]) -> web.Response:
    """Return the response with the request's credential in its texts, its headers and its reason."""
    said = echo(credential_of(request.headers))
    body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
    if response.content_type == "application/json":
        body = json.dumps(_with(json.loads(body), f"Bearer {said}")).encode()
    elif response.content_type == "text/html":
        body = body.replace(b"<center>", f"<!-- Authorization: Bearer {said} --><center>{said}".encode())
    changed = web.Response(body=body, status=response.status, reason=f"Said {said}")
    changed.headers.update(
        {name: value for name, value in response.headers.items() if name != "Content-Length"}
    )
    changed.headers.update({"X-Request-Id": said, "WWW-Authenticate": f'Bearer error="{said}"'})
    return changed


def _with(value: Any, said: str, name: str = "", above: str = "") -> Any:
    if isinstance(value, dict):
        found = {key: _with(entry, said, key, name) for key, entry in value.items()}
        return found if name else {**found, "debug": said, said: "the request's Authorization"}
    if isinstance(value, list):
        return [_with(entry, said, name, above) for entry in value]
    if not isinstance(value, str) or name in _WORDS or (name == "type" and above != "error"):
        return value
    return value if _is_number_or_link(value) else f"{value} {said}"


def _is_number_or_link(text: str) -> bool:
    return text.startswith("http") or (text != "" and text.replace(".", "", 1).isdigit())
