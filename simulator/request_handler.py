"""Every request comes here: it is recorded, perhaps broken, authenticated, and answered by its dialect."""

from __future__ import annotations

import asyncio
import functools
import json
import weakref
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from . import account, auth, billing, cdn, faults, legacy, partner, routes, standard
from .answers import ProxyRefusal, Refusal, page, refused, success
from .echo import echoed
from .faults import Fault
from .order import Order
from .render import RenderQueue
from .state import COMFY_ACCOUNT, State
from .task import RequestRecord, without_media

#: Bytes from which a request counts as large.
LARGE = 200_000


class RequestHandler:
    """Answers the requests of one running application."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.queue = RenderQueue(state)
        self.closing = asyncio.Event()
        self._connections: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.transport is not None:
            self._connections.add(request.transport)
        try:
            return await self._handle(request)
        except (ConnectionError, web.RequestPayloadError):
            # The client went away in the middle of its request or of its answer.
            return faults.reset(request)

    async def close(self) -> None:
        """End the drawings and what connections are left, such as one whose client stopped reading."""
        self.queue.close()
        for connection in list(self._connections):
            if isinstance(connection, asyncio.Transport):
                connection.abort()
        await asyncio.sleep(0)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.rel_url.path.startswith(cdn.PATH):
            return await self._download(request)
        found = routes.below(request.rel_url.raw_path, self.state.path_prefix)
        if found is None:
            return cdn.html(404, "Not Found")
        path, proxied = found
        if path == routes.RENEW:
            return await self._renew(request)
        try:
            route = routes.find(request.method, path, request.query, self.state.products, self._is_task_id)
        except Refusal as refusal:
            self._record(request, None)
            return self._echoed(request, self._refuse(refusal))
        self._count(route)
        fault = self.state.take_fault(route.operation)
        if fault is not None and fault.kind in faults.EARLY:
            return await self._strike_early(request, route.operation, fault)
        try:
            body = await self._read(request)
            response = await self._answer(request, route, body, proxied)
        except Refusal as refusal:
            response = self._refuse(refusal)
        except ProxyRefusal as refusal:
            response = self._refuse_as_proxy(refusal)
        response = self._echoed(request, response)
        if fault is not None:
            return await self._strike_late(request, response, fault)
        return response

    def _is_task_id(self, identifier: str) -> bool:
        return identifier in self.state.tasks or (identifier.isdigit() and len(identifier) == 18)

    def _count(self, route: routes.Route) -> None:
        if route.operation == "create":
            self.state.creates_received += 1
        elif route.operation == "lookup":
            self.state.lookups += 1
        elif route.operation == "query":
            self.state.polls += 1

    def _record(self, request: web.Request, body: Any) -> None:
        self.state.requests.append(
            RequestRecord(
                request.method,
                request.rel_url.path,
                dict(request.query),
                tuple(request.headers),
                without_media(body),
            )
        )

    async def _read(self, request: web.Request) -> Any:
        if request.method != "POST":
            self._record(request, None)
            return None
        try:
            body = json.loads(await request.read())
        except (web.HTTPRequestEntityTooLarge, ValueError):
            self._record(request, None)
            raise Refusal(1200, "the request body is not valid JSON or is too large") from None
        self._record(request, body)
        if not isinstance(body, dict):
            raise Refusal(1200, "the request body must be a JSON object")
        return body

    def _refuse(self, refusal: Refusal) -> web.Response:
        status = 200 if self.state.refusals_as_200 else refusal.http
        self.state.refusals[status, refusal.code] += 1
        return web.json_response(refused(refusal), status=status)

    def _refuse_as_proxy(self, refusal: ProxyRefusal) -> web.Response:
        self.state.refusals[refusal.http, 0] += 1
        error = {"error": {"message": str(refusal), "type": refusal.kind}}
        return web.json_response(error, status=refusal.http)

    def _echoed(self, request: web.Request, response: web.Response) -> web.Response:
        return echoed(request, response, self.state.echo) if self.state.echo else response

    async def _renew(self, request: web.Request) -> web.StreamResponse:
        """Answer Comfy.org's own address for a fresh token, which takes no body."""
        self._record(request, None)
        fault = self.state.take_fault("renew")
        if fault is not None and fault.kind in faults.EARLY:
            return await self._strike_early(request, "renew", fault)
        try:
            if request.method != "POST":
                raise ProxyRefusal.of(404)
            token = partner.renewed(self.state, request.headers.get("Authorization", ""))
            response = web.json_response({"token": token})
        except ProxyRefusal as refusal:
            response = self._refuse_as_proxy(refusal)
        response = self._echoed(request, response)
        return response if fault is None else await self._strike_late(request, response, fault)

    async def _answer(
        self, request: web.Request, route: routes.Route, body: Any, proxied: bool
    ) -> web.Response:
        creating = route.operation == "create"
        owner = name = ""
        if proxied:
            owner = auth.comfy_user(self.state, request.headers, creating=creating)
            holder = COMFY_ACCOUNT
        else:
            holder = auth.account_of(self.state, request.headers, standard=route.dialect == "standard")
            name = auth.key_name(self.state, request.headers)
        if creating:
            key = request.headers.get("Idempotency-Key", "") if proxied else ""
            large = (request.content_length or 0) > LARGE
            data = await self._create(route, body, (holder, owner, name), key, large)
        elif route.name == routes.BILLING:
            data = self._bill(route, body, holder, proxied)
        else:
            link = functools.partial(cdn.link, self.state, str(request.url.origin()))
            data = self._look(route, request.query, body, holder, link)
        return web.json_response(success(data))

    async def _create(
        self, route: routes.Route, body: Any, who: tuple[str, str, str], key: str, large: bool
    ) -> dict[str, Any]:
        holder, owner, name = who
        # A large picture takes a moment to decode, and polls must not wait for it.
        order = await asyncio.to_thread(self._order, route, body) if large else self._order(route, body)
        shown = legacy.created if route.dialect == "legacy" else standard.created
        before = self.state.idempotent(owner, key) if key else None
        if before is not None and self.state.proxy_idempotency == "replay":
            return shown(self.state, before)
        if before is not None and self.state.proxy_idempotency == "conflict":
            raise ProxyRefusal(409, "idempotency_conflict", "This Idempotency-Key has been used before")
        task = self.state.accept(order, account=holder, dialect=route.dialect, body=body, owner=owner)
        task.key_name = name
        if key:
            self.state.remember_key(owner, key, task)
        self.queue.begin(task)
        return shown(self.state, task)

    def _order(self, route: routes.Route, body: Any) -> Order:
        product = self.state.products[route.name]
        order: Order
        if route.dialect == "standard":
            order = product.read_standard(route.argument, body, self.state.offer)
        else:
            order = product.read_legacy(body, self.state.offer)
        return order

    def _bill(self, route: routes.Route, body: Any, holder: str, proxied: bool) -> dict[str, Any]:
        if proxied:
            raise ProxyRefusal.of(404)
        if not self.state.serves_billing:
            raise Refusal(1203)
        return billing.listing(self.state, holder, route.argument, body)

    def _look(
        self, route: routes.Route, query: Mapping[str, str], body: Any, holder: str, link: cdn.Link
    ) -> Any:
        if route.name == "costs":
            return account.costs(self.state, holder, query)
        if route.dialect == "standard":
            if route.operation == "list":
                return standard.listing(self.state, holder, body, link)
            return standard.query(self.state, holder, query, link)
        product = self.state.products[route.name]
        if route.operation == "list":
            return legacy.listing(self.state, holder, product, query, link)
        return legacy.query(self.state, holder, product, route.argument, link)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return cdn.html(405, "Method Not Allowed")
        self.state.downloads += 1
        self._record(request, None)
        if "Authorization" in request.headers or "X-API-KEY" in request.headers:
            self.state.cdn_saw_authorization = True
        fault = self.state.take_fault("download")
        if fault is not None and fault.kind in faults.EARLY:
            return await self._strike_early(request, "download", fault)
        found = cdn.file_behind(self.state, request)
        if isinstance(found, web.Response):
            return found
        content = await self.queue.result(*found)
        if content is None:
            return cdn.html(404, "Not Found")
        reply = cdn.FileReply(request, self.state, found, content)
        if fault is None or fault.kind == "hang":
            if fault is not None:
                await faults.hang(fault.seconds, self.closing)
            return await cdn.serve(request, self.state, reply)
        return await self._strike_late(request, cdn.whole(reply), fault)

    async def _strike_early(self, request: web.Request, operation: str, fault: Fault) -> web.StreamResponse:
        if fault.kind == "reset_after_bytes":
            await faults.read_some(request, fault.at)
        if fault.kind in ("reset_before_headers", "reset_after_bytes"):
            if operation != "download":
                self._record(request, None)
            return faults.reset(request)
        if operation not in ("download", "renew"):
            await self._forget(request)
        if fault.kind == "redirect":
            return web.Response(status=302, headers={"Location": fault.location})
        return self._echoed(request, self._struck(operation, fault))

    def _struck(self, operation: str, fault: Fault) -> web.Response:
        """Return what an early fault answers instead of the work."""
        if fault.kind == "error_500_before":
            return self._refuse(Refusal(5000))
        if fault.kind in ("paced", "proxy_refused"):
            if fault.kind == "paced":
                response = self._refuse(Refusal(1303 if operation == "create" else 1302))
            else:
                response = self._refuse_as_proxy(ProxyRefusal.of(fault.status))
            if fault.retry_after is not None:
                response.headers["Retry-After"] = fault.retry_after
            return response
        return cdn.html(403, "Forbidden" if fault.kind == "html_403" else "Request has expired")

    async def _forget(self, request: web.Request) -> None:
        """Read a request to its end and record it, without doing what it asks."""
        try:
            await self._read(request)
        except Refusal:
            return

    async def _strike_late(
        self, request: web.Request, response: web.Response, fault: Fault
    ) -> web.StreamResponse:
        body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
        if fault.kind == "make_then_reset":
            return faults.reset(request)
        if fault.kind == "html_502_after_make":
            bad = web.Response(status=502, text=page(502, "Bad Gateway"), content_type="text/html")
            return self._echoed(request, bad)
        if fault.kind == "large_answer":
            return web.Response(
                body=faults.padded(body, fault.at), status=response.status, headers=_plain(response)
            )
        if fault.kind == "truncated_json":
            return web.Response(body=body[: len(body) // 2], status=response.status, headers=_plain(response))
        if fault.kind == "wrong_length":
            return await faults.send_part(request, response, declared=len(body) + 1000, sent=len(body))
        if fault.kind == "truncate_download":
            self.state.bytes_sent += min(fault.at, len(body))
            return await faults.send_part(request, response, declared=len(body), sent=fault.at)
        await faults.hang(fault.seconds, self.closing)
        return response


def _plain(response: web.Response) -> dict[str, str]:
    return {"Content-Type": response.headers.get("Content-Type", "application/json")}
