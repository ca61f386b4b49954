"""Faults: what a test asks the simulator to break, once or several times.

A fault is data; `State.faults` holds the ones still to come, and the first that fits a request is used up by
it. Some faults strike before the work (`EARLY`: no task is made), the others after it (`LATE`: the task
exists, only its answer suffers). That difference is the one that costs money, so each kind is in exactly one
of the two sets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass

from aiohttp import web

#: Strike before the work is done: the create was not made.
EARLY = frozenset(
    {
        "reset_before_headers",  # the connection is reset as soon as the request's headers are in
        "reset_after_bytes",  # `at` bytes of the request's body are read, then the connection is reset
        "error_500_before",  # HTTP 500, code 5000
        "paced",  # HTTP 429, code 1303 (create) or 1302; with `retry_after` a Retry-After header
        "proxy_refused",  # HTTP `status` in the form of Comfy.org's errors
        "html_403",  # HTTP 403 with an HTML page
        "expired_link",  # HTTP 403 with the CDN's page for a link whose time is over
        "redirect",  # HTTP 302 to `location`
    }
)
#: Strike after the work is done: a create was made, and the client cannot know.
LATE = frozenset(
    {
        "make_then_reset",  # no byte of the answer leaves; the connection is reset
        "large_answer",  # the JSON text is padded to `at` bytes
        "truncated_json",  # HTTP 200, half of the JSON text, a well-formed end
        "html_502_after_make",  # HTTP 502 with an HTML page
        "hang",  # the answer waits `seconds`, or until the server closes
        "truncate_download",  # the connection ends after `at` bytes of the answer's body
        "wrong_length",  # Content-Length says more than comes; the connection ends
    }
)
OPERATIONS = frozenset({"create", "query", "lookup", "list", "account", "renew", "download", "any"})


@dataclass(frozen=True)
class Fault:
    """One thing to break: on which operation (`on`), how (`kind`), and how many `times`.

    `at` counts bytes of the request body (`reset_after_bytes`) or of the answer's body (`truncate_download`,
    `large_answer`); `status` (401, 402, 403, 409, 429) belongs to `proxy_refused`;
    `seconds` belongs to `hang`, `retry_after` (a header value) to `paced`, `location` to `redirect`.
    """

    on: str
    kind: str
    times: int = 1
    at: int = 0
    seconds: float = 0.0
    retry_after: str | None = None
    location: str = ""
    status: int = 403

    def __post_init__(self) -> None:
        if self.on not in OPERATIONS:
            raise ValueError(f"Fault.on must be one of {sorted(OPERATIONS)}, not {self.on!r}.")
        if self.kind not in EARLY | LATE:
            raise ValueError(f"Fault.kind must be one of {sorted(EARLY | LATE)}, not {self.kind!r}.")
        if self.times < 1:
            raise ValueError("Fault.times counts requests and starts at 1.")

    def fits(self, operation: str) -> bool:
        """Tell whether this fault is meant for a request of that kind."""
        return self.on in ("any", operation)


def reset(request: web.Request) -> web.Response:
    """Reset the request's connection (RST, not FIN) and return a response that never leaves."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # Without lingering set to zero an abort may end in an orderly FIN: an empty answer, no reset.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def read_some(request: web.Request, count: int) -> None:
    """Read `count` bytes of the request's body, or all of it when it is shorter."""
    left = count
    while left > 0:
        chunk = await request.content.read(left)
        if not chunk:
            return
        left -= len(chunk)


async def hang(seconds: float, closing: asyncio.Event) -> None:
    """Wait `seconds`, but no longer than the server lives."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(closing.wait(), seconds)


def padded(body: bytes, size: int) -> bytes:
    """Return a JSON object with one entry more, of many small values, so that it has about `size` bytes."""
    entry = '{"a": [1, "b"]}'
    count = max(0, size - len(body)) // (len(entry) + 2)
    return json.dumps({**json.loads(body), "padding": [json.loads(entry)] * count}).encode()


async def send_part(
    request: web.Request, response: web.Response, *, declared: int, sent: int
) -> web.StreamResponse:
    """Send `sent` bytes of `response` under a Content-Length of `declared`, then close the connection.

    It is closed in order, not reset: a reset would throw away bytes that are still under way.
    """
    body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = declared
    partial.force_close()
    await partial.prepare(request)
    with contextlib.suppress(ConnectionError):
        await partial.write(body[:sent])
    if request.transport is not None:
        request.transport.close()
    return partial
