"""The CDN that keeps the results: signed links with an end, Range, ETag.

It is no part of the API: a credential that arrives here has leaked, and the state says so.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

from aiohttp import web

from .answers import page
from .state import SimTask, State

PATH = "/cdn/"
CHUNK = 256 * 1024  # bytes


def link(state: State, origin: str, task: SimTask, watermark: bool) -> str:
    """Return the signed address of a task's video under `origin` ("http://host:port")."""
    expires = (task.finished_at or 0.0) + state.result_ttl_seconds
    if state.link_ttl_seconds is not None:
        expires = min(expires, state.clock() + state.link_ttl_seconds)
    name = f"watermark-{task.video_name}" if watermark else task.video_name
    whole = int(expires)
    return f"{origin}{PATH}{name}?Expires={whole}&Signature={_signature(state, name, whole)}"


def _signature(state: State, name: str, expires: int) -> str:
    return hmac.new(state.signing_secret, f"{name}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]


def task_behind(state: State, request: web.Request) -> SimTask | web.Response:
    """Return the task whose video a request may have, or the HTML page that refuses it.

    403: no signature, a wrong one, or a link whose time is over; 404: a result that Kling has cleared away.
    """
    name = request.rel_url.path[len(PATH) :]
    expires, signature = request.query.get("Expires", ""), request.query.get("Signature", "")
    if not re.fullmatch(r"\d{1,12}", expires) or not hmac.compare_digest(
        _signature(state, name, int(expires)).encode(), signature.encode()
    ):
        return html(403, "Forbidden")
    task = state.tasks.get(name.removeprefix("watermark-").removesuffix(".mp4"))
    if task is None or task.finished_at is None:
        return html(404, "Not Found")
    if state.clock() >= task.finished_at + state.result_ttl_seconds:
        return html(404, "Not Found")
    if state.clock() >= int(expires):
        return html(403, "Forbidden")
    return task


def html(status: int, title: str) -> web.Response:
    """Return an HTML error page."""
    return web.Response(status=status, text=page(status, title), content_type="text/html")


def etag(state: State, task: SimTask, size: int) -> str:
    """Return the ETag of a task's video."""
    seed = f"{task.id}:{size}:{state.etag_salt}".encode()
    return f'"{hashlib.sha256(seed).hexdigest()[:32]}"'


def requested_range(request: web.Request, size: int, tag: str) -> tuple[int, int] | None:
    """Return the first byte and the byte after the last that a request asks for; None is the whole file.

    A Range counts only while `If-Range`, if sent, names the file as it is now. Raises ValueError for a range
    outside the file.
    """
    header = request.headers.get("Range")
    if header is None or request.headers.get("If-Range", tag) != tag:
        return None
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= size or start >= end:
        raise ValueError(header)
    return start, end


async def serve(
    request: web.Request, state: State, task: SimTask, content: bytes | Path
) -> web.StreamResponse:
    """Send a task's video, or the part of it that the request asks for."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    tag = etag(state, task, size)
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "video/mp4"}
    try:
        wanted = requested_range(request, size, tag)
    except ValueError:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = wanted or (0, size)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
    response.content_length = end - start
    await response.prepare(request)
    if request.method != "HEAD":
        await _send(response, state, content, start, end)
    return response


def part(request: web.Request, state: State, task: SimTask, content: bytes) -> web.Response:
    """Return the answer of `serve` with its body in memory, for a fault to damage."""
    tag = etag(state, task, len(content))
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "video/mp4"}
    try:
        wanted = requested_range(request, len(content), tag)
    except ValueError:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
    start, end = wanted or (0, len(content))
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
    return web.Response(status=206 if wanted else 200, headers=headers, body=content[start:end])


async def _send(
    response: web.StreamResponse, state: State, content: bytes | Path, start: int, end: int
) -> None:
    if isinstance(content, bytes):
        await response.write(content[start:end])
        state.bytes_sent += end - start
    else:
        with content.open("rb") as file:
            file.seek(start)
            while start < end:
                piece = file.read(min(CHUNK, end - start))
                await response.write(piece)
                start += len(piece)
                state.bytes_sent += len(piece)
    await response.write_eof()
