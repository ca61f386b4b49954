"""The CDN that keeps the results: signed links with an end, Range, ETag.

It is no part of the API: a credential that arrives here has leaked, and the state says so.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
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


class Answer:
    """What the CDN answers to a request for a file: status, headers, and the bytes from `start` to `end`."""

    def __init__(self, request: web.Request, state: State, task: SimTask, size: int) -> None:
        tag = etag(state, task, size)
        self.headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "video/mp4"}
        self.status, self.start, self.end = 200, 0, size
        try:
            wanted = requested_range(request, size, tag)
        except ValueError:
            self.status, self.end = 416, 0
            self.headers["Content-Range"] = f"bytes */{size}"
            return
        if wanted:
            self.status, (self.start, self.end) = 206, wanted
            self.headers["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{size}"


def weight(content: bytes | Path) -> int:
    """Return the size of a result in bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


async def serve(
    request: web.Request, state: State, task: SimTask, content: bytes | Path
) -> web.StreamResponse:
    """Send a task's video, or the part of it that the request asks for."""
    answer = Answer(request, state, task, weight(content))
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = answer.end - answer.start
    await response.prepare(request)
    if request.method != "HEAD":
        for piece in _pieces(content, answer.start, answer.end):
            await response.write(piece)
            state.bytes_sent += len(piece)
    await response.write_eof()
    return response


def whole(request: web.Request, state: State, task: SimTask, content: bytes | Path) -> web.Response:
    """Return the answer of `serve` with its body in memory, for a fault to damage."""
    answer = Answer(request, state, task, weight(content))
    body = b"".join(_pieces(content, answer.start, answer.end))
    return web.Response(status=answer.status, headers=answer.headers, body=body)


def _pieces(content: bytes | Path, start: int, end: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content[start:end]
        return
    with content.open("rb") as file:
        file.seek(start)
        while start < end:
            piece = file.read(min(CHUNK, end - start))
            yield piece
            start += len(piece)
