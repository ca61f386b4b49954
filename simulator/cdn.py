"""The CDN that keeps the results: signed links with an end, Range, ETag.

It is not part of the API: a credential that arrives here has leaked, and the state says so.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from aiohttp import web

from .answers import page
from .results import CONTENT_TYPES, File, files
from .state import State
from .task import SimTask

#: Makes the signed address of a task's file, or of its copy with a watermark.
Link = Callable[[SimTask, File, bool], str]

PATH = "/cdn/"
WATERMARK = "watermark-"
CHUNK = 256 * 1024  # bytes


def link(state: State, origin: str, task: SimTask, file: File, watermark: bool) -> str:
    """Return the signed address of a file of a task's result under `origin` ("http://host:port")."""
    expires = (task.finished_at or 0.0) + state.result_ttl_seconds
    if state.link_ttl_seconds is not None:
        expires = min(expires, state.clock() + state.link_ttl_seconds)
    name = f"{WATERMARK if watermark else ''}{file.name(task.id)}"
    whole = int(expires)
    return f"{origin}{PATH}{name}?Expires={whole}&Signature={_signature(state, name, whole)}"


def _signature(state: State, name: str, expires: int) -> str:
    return hmac.new(state.signing_secret, f"{name}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]


def file_behind(state: State, request: web.Request) -> tuple[SimTask, File] | web.Response:
    """Return the task and the file that a request may have, or the HTML page that refuses it.

    403: no signature, a wrong one, or a link whose time is over; 404: a result that Kling has cleared away.
    """
    name = request.rel_url.path[len(PATH) :]
    expires, signature = request.query.get("Expires", ""), request.query.get("Signature", "")
    if not re.fullmatch(r"\d{1,12}", expires) or not hmac.compare_digest(
        _signature(state, name, int(expires)).encode(), signature.encode()
    ):
        return html(403, "Forbidden")
    found = _found(state, name.removeprefix(WATERMARK))
    if (
        found is None
        or found[0].id in state.vanished
        or state.clock() >= (found[0].finished_at or 0.0) + state.result_ttl_seconds
    ):
        return html(404, "Not Found")
    if state.clock() >= int(expires):
        return html(403, "Forbidden")
    return found


def _found(state: State, name: str) -> tuple[SimTask, File] | None:
    task = state.tasks.get(re.split(r"[-.]", name)[0])
    if task is None or task.finished_at is None:
        return None
    return next(((task, file) for file in files(task.outputs) if file.name(task.id) == name), None)


def html(status: int, title: str) -> web.Response:
    """Return an HTML error page."""
    return web.Response(status=status, text=page(status, title), content_type="text/html")


def etag(state: State, name: str, size: int) -> str:
    """Return the ETag of a file."""
    seed = f"{name}:{size}:{state.etag_salt}".encode()
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


class FileReply:
    """What the CDN replies to a request for a file: status, headers, and the bytes from `start` to `end`."""

    def __init__(
        self, request: web.Request, state: State, found: tuple[SimTask, File], content: bytes | Path
    ) -> None:
        task, file = found
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        tag = etag(state, file.name(task.id), size)
        self.content = content
        self.headers = {
            "ETag": tag,
            "Accept-Ranges": "bytes",
            "Content-Type": CONTENT_TYPES[file.format],
        }
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

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes that the request asked for."""
        if isinstance(self.content, bytes):
            yield self.content[self.start : self.end]
            return
        at = self.start
        with self.content.open("rb") as file:
            file.seek(at)
            while at < self.end:
                piece = file.read(min(CHUNK, self.end - at))
                yield piece
                at += len(piece)


async def serve(request: web.Request, state: State, reply: FileReply) -> web.StreamResponse:
    """Send a file, or the part of it that the request asks for."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = reply.end - reply.start
    await response.prepare(request)
    if request.method != "HEAD":
        for piece in reply.pieces():
            await response.write(piece)
            state.bytes_sent += len(piece)
    await response.write_eof()
    return response


def whole(reply: FileReply) -> web.Response:
    """Return the response of `serve` with its body in memory, for a fault to damage."""
    return web.Response(status=reply.status, headers=reply.headers, body=b"".join(reply.pieces()))
