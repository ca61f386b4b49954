"""A CDN that does its worst (a real server on this machine, driven by a list of acts), and its user."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kling_takes.apis.download import DownloadPolicy, download
from kling_takes.apis.download.part_file import note_of, part_of
from kling_takes.apis.errors import DownloadFailed

VIDEO = b"\x00\x00\x00\x18ftypmp42" + random.Random(7).randbytes(300_000)
ETAG = '"one"'
SECRET_QUERY = "Signature=do-not-show-me"

#: As the real one, in milliseconds.
POLICY = DownloadPolicy(first_delay=0.5, stall_seconds=0.05, connect_seconds=0.05, chunk_bytes=16_384)

Act = Callable[["Cdn", web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Cdn:
    """Knobs and books of the server: each request takes the next act, the last one stays."""

    acts: list[Act]
    video: bytes = VIDEO
    etag: str | None = ETAG
    content_type: str = "video/mp4"
    requests: list[web.Request] = dataclasses.field(default_factory=list)
    open_requests: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.open_requests += 1
        try:
            act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
            return await act(self, request)
        finally:
            self.open_requests -= 1

    def ranges(self) -> list[str | None]:
        return [request.headers.get("Range") for request in self.requests]


def head(cdn: Cdn, request: web.Request, **more: str) -> tuple[int, int, dict[str, str]]:
    """Give status, first byte and headers as a correct server would."""
    headers = {"Content-Type": cdn.content_type, **({"ETag": cdn.etag} if cdn.etag else {}), **more}
    wanted = request.headers.get("Range")
    if wanted and request.headers.get("If-Range") in (None, cdn.etag, headers.get("Last-Modified")):
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(cdn.video):
            return 416, start, {**headers, "Content-Range": f"bytes */{len(cdn.video)}"}
        headers["Content-Range"] = f"bytes {start}-{len(cdn.video) - 1}/{len(cdn.video)}"
        return 206, start, headers
    return 200, 0, headers


async def serve(cdn: Cdn, request: web.Request) -> web.StreamResponse:
    """Answer as a correct server does."""
    status, start, headers = head(cdn, request)
    return web.Response(status=status, headers=headers, body=cdn.video[start:] if status != 416 else b"")


def cut(after: int, *, ranges: bool = True, **more: str) -> Act:
    """Send so many bytes of what was asked for, then drop the connection."""

    async def act(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        status, start, headers = (
            head(cdn, request, **more) if ranges else (200, 0, {"Content-Type": "video/mp4"})
        )
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(cdn.video) - start
        await response.prepare(request)
        await response.write(cdn.video[start : start + after])
        await asyncio.sleep(0.02)  # so that the bytes are read before the end is noticed
        assert request.transport is not None
        request.transport.close()
        return response

    return act


def stall(after: int) -> Act:
    """Send so many bytes, then nothing more, with the connection open."""

    async def act(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        status, start, headers = head(cdn, request)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(cdn.video) - start
        await response.prepare(request)
        await response.write(cdn.video[start : start + after])
        await asyncio.sleep(30)
        return response

    return act


def say(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer with exactly this; header names are written with underscores."""

    async def act(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return act


async def reset(cdn: Cdn, request: web.Request) -> web.StreamResponse:
    """Drop the connection before a single byte."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def chunked(cdn: Cdn, request: web.Request) -> web.StreamResponse:
    """Send everything without saying how much it is."""
    response = web.StreamResponse(headers={"Content-Type": cdn.content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for start in range(0, len(cdn.video), 50_000):
        await response.write(cdn.video[start : start + 50_000])
    return response


@contextlib.asynccontextmanager
async def serving(cdn: Cdn) -> AsyncIterator[Cdn]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cdn.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    cdn.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v.mp4?{SECRET_QUERY}"
    try:
        yield cdn
    finally:
        await runner.cleanup()


def open_files() -> set[str]:
    """The files and sockets this process holds, where the system tells (Linux)."""
    held = set()
    for each in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            name = str(each.readlink())
            if name.startswith(("socket:", tempfile.gettempdir())):
                held.add(name)
    return held


class Downloader:
    """A session, a target and the books of one test."""

    def __init__(self, session: aiohttp.ClientSession, target: Path) -> None:
        self.session = session
        self.target = target
        self.slept: list[float] = []
        self.told: list[tuple[int, int | None]] = []
        self.fresh: list[str | BaseException] = []
        self.refreshed = 0

    async def get(self, url: str, policy: DownloadPolicy = POLICY, **more: Any) -> Path:
        return await download(
            self.session,
            url,
            self.target,
            refresh=self.refresh,
            opens=more.pop("opens", lambda path: True),
            api_is_loopback=more.pop("api_is_loopback", True),
            progress=lambda come, total: self.told.append((come, total)),
            policy=policy,
            sleep=self.sleep,
            task_id="8421",
            **more,
        )

    async def fails(
        self, url: str, says: str, policy: DownloadPolicy = POLICY, *, status: int | None = None, **more: Any
    ) -> str:
        with pytest.raises(DownloadFailed, match=says) as caught:
            await self.get(url, policy, **more)
        error = caught.value
        assert error.task_id == "8421"
        assert status is None or error.http_status == status
        assert "30 days" in str(error)
        assert "nothing is paid again" in str(error)
        assert "do-not-show-me" not in "".join(traceback.format_exception(error))
        assert str(self.target.parent) not in str(error)
        chained: BaseException | None = error
        while chained is not None:
            assert "do-not-show-me" not in repr((chained, chained.__dict__))
            chained = chained.__cause__ or chained.__context__
        assert not self.target.exists()
        return str(error)

    async def refresh(self) -> str:
        self.refreshed += 1
        fresh = self.fresh.pop(0)
        if isinstance(fresh, BaseException):
            raise fresh
        return fresh

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    @property
    def part(self) -> Path:
        return part_of(self.target)

    @property
    def note(self) -> Path:
        return note_of(self.target)

    def leave(self, size: int, validator: str | None = ETAG, total: int | None = len(VIDEO)) -> None:
        """Leave a part behind as a killed run would."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(VIDEO[:size])
        self.note.write_text(json.dumps({"validator": validator, "total": total}))

    def whole(self, cdn: Cdn | None = None) -> None:
        assert self.target.read_bytes() == (cdn.video if cdn else VIDEO)
        assert list(self.target.parent.iterdir()) == [self.target]
