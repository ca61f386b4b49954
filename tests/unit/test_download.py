"""Downloads against a CDN that does its worst: a real server on this machine, driven by one list of acts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import gc
import json
import os
import random
import sys
import tempfile
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kling_takes.apis import download as subject
from kling_takes.apis import part_file
from kling_takes.apis.download import DownloadPolicy, download
from kling_takes.apis.errors import DownloadFailed, TaskGone

VIDEO = b"\x00\x00\x00\x18ftypmp42" + random.Random(7).randbytes(300_000)
ETAG = '"one"'
SECRET_QUERY = "Signature=do-not-show-me"

#: As the real one, in milliseconds.
POLICY = DownloadPolicy(
    first_delay=0.5, stall_seconds=0.05, connect_seconds=0.05, chunk_bytes=16_384, max_bytes=1 << 20
)

Act = Callable[["Cdn", web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Cdn:
    """Knobs and books of the server: each request takes the next act, the last one stays."""

    acts: list[Act]
    video: bytes = VIDEO
    etag: str | None = ETAG
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
    headers = {"Content-Type": "video/mp4", **({"ETag": cdn.etag} if cdn.etag else {}), **more}
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
    response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
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


class Bench:
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
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    def leave(self, size: int, validator: str | None = ETAG, total: int | None = len(VIDEO)) -> None:
        """Leave a part behind as a killed run would."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(VIDEO[:size])
        self.note.write_text(json.dumps({"validator": validator, "total": total}))

    def whole(self, cdn: Cdn | None = None) -> None:
        assert self.target.read_bytes() == (cdn.video if cdn else VIDEO)
        assert list(self.target.parent.iterdir()) == [self.target]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench whose end checks that no file, socket, task or claim is left."""
    before = open_files()
    async with aiohttp.ClientSession() as session:
        yield Bench(session, tmp_path / "kling_takes" / "8421.mp4")
    await asyncio.sleep(0.01)
    assert not part_file._held
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    gc.collect()
    left = open_files() - before
    assert not {each for each in left if not each.startswith("socket:")}
    if len(left) > 1:  # the server of the test closes its sockets a moment later
        await asyncio.sleep(0.1)
        assert len(open_files() - before) <= 1


async def test_a_video_comes_whole_and_leaves_nothing_else(bench: Bench) -> None:
    async with serving(Cdn([serve])) as cdn:
        assert await bench.get(cdn.url) == bench.target
    bench.whole()
    assert bench.told[-1] == (len(VIDEO), len(VIDEO))
    assert [come for come, _ in bench.told] == sorted(come for come, _ in bench.told)
    assert cdn.requests[0].headers["Accept-Encoding"] == "identity"
    assert "Range" not in cdn.requests[0].headers


async def test_an_existing_target_is_replaced_in_one_step(bench: Bench) -> None:
    bench.target.parent.mkdir()
    bench.target.write_bytes(b"old")
    async with serving(Cdn([serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()


async def test_a_failed_download_leaves_the_old_target_alone(bench: Bench) -> None:
    bench.target.parent.mkdir()
    bench.target.write_bytes(b"old")
    async with serving(Cdn([say(500)])) as cdn:
        with pytest.raises(DownloadFailed, match="HTTP 500"):
            await bench.get(cdn.url)
    assert bench.target.read_bytes() == b"old"


async def test_a_dropped_connection_goes_on_where_it_stopped(bench: Bench) -> None:
    async with serving(Cdn([cut(100_000), serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [None, "bytes=100000-"]
    assert cdn.requests[1].headers["If-Range"] == ETAG
    assert bench.slept == [0.5]


async def test_last_modified_is_the_validator_where_there_is_no_strong_etag(bench: Bench) -> None:
    date = "Sun, 20 Sep 2026 00:00:00 GMT"
    async with serving(Cdn([cut(100_000, **{"Last-Modified": date}), serve], etag='W/"weak"')) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.requests[1].headers["If-Range"] == date


async def test_without_a_validator_it_starts_again(bench: Bench) -> None:
    async with serving(Cdn([cut(100_000), serve], etag=None)) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [None, None]


async def test_a_server_that_ignores_the_range_is_taken_from_the_start(bench: Bench) -> None:
    async with serving(Cdn([cut(100_000), say(200, VIDEO, Content_Type="video/mp4")])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges()[1] == "bytes=100000-"


async def test_a_video_that_changed_meanwhile_is_taken_from_the_start(bench: Bench) -> None:
    other = Cdn([serve], video=VIDEO[::-1].replace(b"<", b"_"), etag='"two"')
    bench.leave(100_000)
    async with serving(other) as cdn:
        await bench.get(cdn.url)
    bench.whole(other)
    assert cdn.requests[0].headers["If-Range"] == ETAG


async def test_a_part_of_an_earlier_run_is_continued(bench: Bench) -> None:
    bench.leave(200_000)
    async with serving(Cdn([serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=200000-"]


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "{",
        "[]",
        "5",
        '{"validator": null, "total": 5}',
        '{"validator": "\\"one\\""}',
        '{"validator": "a\\r\\nX-Evil: 1", "total": null}',
        '{"validator": "\\"one\\"", "total": "many"}',
        '{"validator": "\\"one\\"", "total": 99999}',
        "[" * 50_000,
    ],
)
async def test_a_part_without_a_sound_note_is_not_continued(bench: Bench, note: str | None) -> None:
    bench.leave(100_000)
    bench.part.write_bytes(b"something else" * 8000)
    bench.note.unlink()
    if note is not None:
        bench.note.write_text(note)
    async with serving(Cdn([serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [None]
    assert "X-Evil" not in cdn.requests[0].headers


async def test_a_useless_part_is_no_measure_of_progress(bench: Bench) -> None:
    bench.leave(250_000, validator=None)
    async with serving(Cdn([*[say(500)] * 4, cut(100_000), *[say(500)] * 3, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()


async def test_a_part_that_was_complete_already_is_only_renamed(bench: Bench) -> None:
    bench.leave(len(VIDEO))
    async with serving(Cdn([serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [f"bytes={len(VIDEO)}-"]


async def test_a_416_that_does_not_fit_the_part_starts_again(bench: Bench) -> None:
    bench.leave(100_000)
    async with serving(Cdn([say(416, Content_Range=f"bytes */{len(VIDEO)}"), serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-300011/300012",
        "bytes 100001-300011/300012",
        "bytes 100000-300011/300013",
        "bytes 100000-300012/300012",
        "bytes 100000-300011/*",
        "bytes */300012",
        "chunks 100000-300011/300012",
        "",
    ],
)
async def test_a_part_that_was_not_asked_for_is_never_mixed_in(bench: Bench, content_range: str) -> None:
    assert len(VIDEO) == 300_012
    bench.leave(100_000)
    wrong = say(206, b"\x00" * 200_012, Content_Range=content_range, ETag=ETAG, Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


async def test_a_206_under_another_etag_is_never_mixed_in(bench: Bench) -> None:
    bench.leave(100_000)
    content_range = f"bytes 100000-{len(VIDEO) - 1}/{len(VIDEO)}"
    wrong = say(206, b"\x00" * 200_012, Content_Range=content_range, ETag='"two"', Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


async def test_a_206_nobody_asked_for_is_not_taken_for_the_whole(bench: Bench) -> None:
    wrong = say(206, VIDEO[:1000], Content_Range="bytes 0-999/1000", Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()


async def test_a_server_that_gives_less_than_the_range_is_asked_for_the_rest(bench: Bench) -> None:
    bench.leave(100_000)
    some = say(
        206,
        VIDEO[100_000:150_000],
        Content_Range=f"bytes 100000-149999/{len(VIDEO)}",
        ETag=ETAG,
        Content_Type="video/mp4",
    )
    async with serving(Cdn([some, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=100000-", "bytes=150000-"]


async def test_more_bytes_than_the_range_said_are_thrown_away(bench: Bench) -> None:
    bench.leave(100_000)

    async def more(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        status, _, headers = head(cdn, request)
        response = web.StreamResponse(status=status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"\x00" * 250_000)
        return response

    async with serving(Cdn([more, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


async def test_five_tries_without_progress_are_the_end(bench: Bench) -> None:
    async with serving(Cdn([reset])) as cdn:
        await bench.fails(cdn.url, "the connection broke off")
    assert len(cdn.requests) in (5, 10)  # aiohttp repeats a GET once by itself on a reused connection
    assert bench.slept == [0.5, 1, 2, 4]
    assert list(bench.target.parent.iterdir()) == []


async def test_progress_gives_five_new_tries(bench: Bench) -> None:
    acts = [
        say(500),
        say(502),
        cut(50_000),
        say(503),
        say(503),
        say(429),
        cut(60_000),
        say(408),
        say(504),
        serve,
    ]
    async with serving(Cdn([*acts, serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert bench.slept == [0.5, 1, 0.5, 1, 2, 4, 0.5, 1, 2]


async def test_starting_again_and_again_is_no_progress(bench: Bench) -> None:
    """A server that knows no ranges and always breaks off would keep us busy for ever."""
    async with serving(Cdn([cut(100_000, ranges=False)])) as cdn:
        await bench.fails(cdn.url, "the connection broke off")
    assert len(cdn.requests) == 5
    assert list(bench.target.parent.iterdir()) == []


async def test_even_steady_crumbs_come_to_an_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_REQUESTS", 8)

    async def crumb(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        if not start:
            return await cut(10)(cdn, request)
        headers = {"Content-Range": f"bytes {start}-{start}/{len(VIDEO)}", "ETag": ETAG}
        return web.Response(status=206, body=VIDEO[start : start + 1], headers=headers)

    async with serving(Cdn([crumb])) as cdn:
        await bench.fails(cdn.url, "not complete after 8 requests")
    assert len(cdn.requests) == 8
    assert bench.part.read_bytes() == VIDEO[:17]


async def test_a_stalled_connection_is_left_and_resumed(bench: Bench) -> None:
    async with serving(Cdn([stall(100_000), serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [None, "bytes=100000-"]


async def test_a_server_that_never_answers_is_given_up(bench: Bench) -> None:
    async def silent(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(Cdn([silent])) as cdn:
        await bench.fails(
            cdn.url, r"nothing came for 0\.03 s", dataclasses.replace(POLICY, stall_seconds=0.03, tries=2)
        )


async def test_a_server_that_is_not_there_is_said(bench: Bench) -> None:
    async with serving(Cdn([serve])) as cdn:
        url = cdn.url
    await bench.fails(url, "the server could not be reached")
    assert len(bench.slept) == 4


async def test_plain_http_where_https_was_promised_is_said(bench: Bench) -> None:
    async with serving(Cdn([serve])) as cdn:
        await bench.fails(
            cdn.url.replace("http:", "https:"), "no secure connection", dataclasses.replace(POLICY, tries=2)
        )


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_expired_link_is_asked_for_again_once(bench: Bench, status: int) -> None:
    async with serving(Cdn([say(status), serve])) as cdn:
        bench.fresh = [cdn.url + "&fresh=1"]
        await bench.get(cdn.url)
    bench.whole()
    assert bench.refreshed == 1
    assert cdn.requests[1].query["fresh"] == "1"
    assert bench.slept == []


async def test_a_fresh_link_that_is_expired_too_is_the_end(bench: Bench) -> None:
    async with serving(Cdn([say(403, b"<html>denied</html>", Content_Type="text/html")])) as cdn:
        bench.fresh = [cdn.url, cdn.url]
        await bench.fails(cdn.url, "the link answered HTTP 403", status=403)
    assert bench.refreshed == 1
    assert len(cdn.requests) == 2


async def test_a_link_that_expires_again_after_progress_is_asked_for_again(bench: Bench) -> None:
    async with serving(Cdn([say(403), cut(100_000), say(403), serve])) as cdn:
        bench.fresh = [cdn.url, cdn.url]
        await bench.get(cdn.url)
    bench.whole()
    assert bench.refreshed == 2
    assert cdn.ranges() == [None, None, "bytes=100000-", "bytes=100000-"]


async def test_what_the_query_for_a_fresh_link_raises_is_passed_on(bench: Bench) -> None:
    async with serving(Cdn([say(404)])) as cdn:
        bench.fresh = [TaskGone("gone")]
        with pytest.raises(TaskGone):
            await bench.get(cdn.url)
    assert list(bench.target.parent.iterdir()) == []


async def test_a_fresh_link_obeys_the_same_rules(bench: Bench) -> None:
    async with serving(Cdn([say(403)])) as cdn:
        bench.fresh = ["file:///etc/passwd"]
        await bench.fails(cdn.url, "is not an https link, so it was not followed")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>sign in to this hotel</html>", "text/html; charset=utf-8"),
        (b'{"error": "expired"}', "application/json"),
        (b"<Error/>", "application/xml"),
        (b"x", "application/problem+json"),
        (b"\x89PNG", "image/png"),
        (b"\xef\xbb\xbf \r\n<!doctype html>", "video/mp4"),
        (b"  <html>", "application/octet-stream"),
        (b'{"error": "expired"}', "binary/octet-stream"),
    ],
)
async def test_a_page_in_place_of_the_video_is_refused(bench: Bench, body: bytes, content_type: str) -> None:
    async with serving(Cdn([say(200, body, Content_Type=content_type)])) as cdn:
        await bench.fails(cdn.url, "a web page or a message, not to a video")
    assert len(cdn.requests) == 1
    assert list(bench.target.parent.iterdir()) == []


async def test_a_page_in_place_of_the_rest_leaves_the_part_as_it_was(bench: Bench) -> None:
    bench.leave(100_000)
    async with serving(Cdn([say(200, b"<html>", Content_Type="application/octet-stream")])) as cdn:
        await bench.fails(cdn.url, "a web page")
    assert bench.part.read_bytes() == VIDEO[:100_000]
    assert json.loads(bench.note.read_text())["validator"] == ETAG


async def test_the_note_beside_a_part_holds_no_link(bench: Bench) -> None:
    async with serving(Cdn([cut(100_000), say(400)])) as cdn:
        await bench.fails(cdn.url, "HTTP 400")
    assert json.loads(bench.note.read_text()) == {"validator": ETAG, "total": len(VIDEO)}
    assert bench.part.read_bytes() == VIDEO[:100_000]


async def test_a_packed_answer_is_refused(bench: Bench) -> None:
    async with serving(
        Cdn([say(200, b"\x1f\x8b123", Content_Encoding="gzip", Content_Type="video/mp4")])
    ) as cdn:
        await bench.fails(cdn.url, "packed the video")


async def test_an_empty_answer_is_no_video(bench: Bench) -> None:
    async with serving(Cdn([say(200, b"", Content_Type="video/mp4")])) as cdn:
        await bench.fails(cdn.url, "an empty file")
    assert len(cdn.requests) == 5


async def test_a_video_above_the_cap_is_refused_before_it_comes(bench: Bench) -> None:
    async with serving(Cdn([serve], video=b"\x00" * (1 << 20) + b"\x00")) as cdn:
        await bench.fails(cdn.url, "larger than 1 MB")
    assert list(bench.target.parent.iterdir()) == []


async def test_a_video_of_unknown_size_is_cut_at_the_cap(bench: Bench) -> None:
    async with serving(Cdn([chunked], video=b"\x00" * (1 << 20) + b"\x00")) as cdn:
        await bench.fails(cdn.url, "larger than 1 MB")
    assert list(bench.target.parent.iterdir()) == []


async def test_a_chunked_answer_that_ends_properly_is_whole(bench: Bench) -> None:
    async with serving(Cdn([chunked])) as cdn:
        await bench.get(cdn.url)
    bench.whole()


async def test_an_answer_whose_end_can_not_be_told_from_a_break_is_not_trusted(bench: Bench) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n" + VIDEO[:5000]
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await bench.fails(f"http://127.0.0.1:{port}/v.mp4", "did not say how long the video is")


async def test_other_answers_are_refused_at_once(bench: Bench) -> None:
    for status in (204, 304, 400, 451):
        async with serving(Cdn([say(status)])) as cdn:
            await bench.fails(cdn.url, f"HTTP {status}", status=status)
        assert len(cdn.requests) == 1


async def test_redirects_are_followed_and_the_range_goes_along(bench: Bench) -> None:
    bench.leave(100_000)

    async def hop(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/deep/v.mp4?hop=1#fragment"})

    async with serving(Cdn([hop, say(302, Location="../v.mp4"), serve])) as cdn:
        await bench.get(cdn.url)
    bench.whole()
    assert [request.path for request in cdn.requests] == ["/v.mp4", "/deep/v.mp4", "/v.mp4"]
    assert cdn.ranges() == ["bytes=100000-"] * 3


async def test_a_circle_of_redirects_comes_to_an_end(bench: Bench) -> None:
    for location in ({"Location": "/again"}, {}):
        async with serving(Cdn([say(302, **location)])) as cdn:
            await bench.fails(cdn.url, "redirected more than 5 times")
        assert len(cdn.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://example.com/v.mp4",
        "file:///etc/passwd",
        "http://user:pw@127.0.0.1/v.mp4",
        "ftp://127.0.0.1/",
        "http://[",
    ],
)
async def test_a_redirect_obeys_the_same_rules_as_a_link(bench: Bench, location: str) -> None:
    async with serving(Cdn([say(302, Location=location)])) as cdn:
        await bench.fails(cdn.url, "so it was not followed")
    assert len(cdn.requests) == 1


async def test_plain_http_to_this_machine_is_only_for_an_api_on_this_machine(bench: Bench) -> None:
    async with serving(Cdn([serve])) as cdn:
        await bench.fails(cdn.url, "is not an https link", api_is_loopback=False)
    assert cdn.requests == []


async def test_no_key_cookie_or_netrc_password_ever_reaches_the_cdn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login someone password {canary}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        serving(Cdn([say(302, Location="/other", Set_Cookie=f"a={canary}"), cut(100_000), serve])) as cdn,
        aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {canary}"},
            cookies={"key": canary},
            cookie_jar=jar,
            trust_env=True,
        ) as session,
    ):
        jar.update_cookies({"more": canary}, response_url=aiohttp.client.URL(cdn.url))
        bench = Bench(session, tmp_path / "v.mp4")
        await bench.get(cdn.url)
    assert bench.target.read_bytes() == VIDEO
    assert len(cdn.requests) >= 3
    for request in cdn.requests:
        assert canary not in str(request.raw_headers)
        assert "Authorization" not in request.headers


async def test_a_proxy_from_the_environment_is_used_with_its_login(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Cdn([serve])) as proxy:
        host = proxy.url.split("/")[2]
        monkeypatch.setenv("http_proxy", f"http://ann:pw@{host}")
        await bench.get("http://127.0.0.1:9/v.mp4")
        assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
        assert proxy.requests[0].url.port == 9
        monkeypatch.setenv("http_proxy", host)
        await bench.get("http://127.0.0.1:9/v.mp4")
        assert "Proxy-Authorization" not in proxy.requests[1].headers
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        bench.target.unlink()
        await bench.fails(
            "http://127.0.0.1:9/v.mp4", "could not be reached", dataclasses.replace(POLICY, tries=1)
        )
        for odd in ("socks5://127.0.0.1:9", "http://", "http://["):
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.setenv("http_proxy", odd)
            await bench.get(proxy.url)
    bench.whole()


async def cancelled(job: asyncio.Task[Path]) -> float:
    """Cancel, and give the seconds it took to end."""
    started = asyncio.get_running_loop().time()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    return asyncio.get_running_loop().time() - started


async def until(ready: Callable[[], bool]) -> None:
    for _ in range(400):
        if ready():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


async def test_a_cancelled_download_keeps_its_part_and_the_next_one_goes_on(bench: Bench) -> None:
    patient = dataclasses.replace(POLICY, stall_seconds=30)
    async with serving(Cdn([stall(200_000), serve])) as cdn:
        job = asyncio.create_task(bench.get(cdn.url, patient))
        await until(lambda: bench.part.exists() and bench.part.stat().st_size >= 150_000)
        assert await cancelled(job) < 0.5
        await until(lambda: not cdn.open_requests)
        kept = bench.part.stat().st_size
        assert bench.part.read_bytes() == VIDEO[:kept]
        await bench.get(cdn.url)
    bench.whole()
    assert cdn.ranges() == [None, f"bytes={kept}-"]


@pytest.mark.parametrize("step", ["_open", "_restart", "_write", "_finish"])
async def test_a_cancel_does_not_wait_for_a_disk_that_hangs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The thread can't be stopped; it closes the file when it ends, and only then the target is free."""
    hanging, go_on = threading.Event(), threading.Event()
    real = getattr(part_file.PartFile, step)

    def slow(self: part_file.PartFile, *args: Any) -> Any:
        hanging.set()
        go_on.wait(5)
        return real(self, *args)

    monkeypatch.setattr(part_file.PartFile, step, slow)
    async with serving(Cdn([serve])) as cdn:
        job = asyncio.create_task(bench.get(cdn.url))
        await asyncio.to_thread(hanging.wait, 5)
        assert await cancelled(job) < 0.5
        assert part_file._held
        monkeypatch.setattr(part_file.PartFile, step, real)
        following = asyncio.create_task(bench.get(cdn.url))
        await asyncio.sleep(0.06)
        assert not following.done()
        go_on.set()
        await following
    bench.whole()


async def test_two_downloads_of_one_target_share_one_file(bench: Bench) -> None:
    async def slowly(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.03)
        return await serve(cdn, request)

    async with serving(Cdn([slowly])) as cdn:
        assert await asyncio.gather(*(bench.get(cdn.url) for _ in range(4))) == [bench.target] * 4
    bench.whole()
    assert len(cdn.requests) == 1


async def test_a_second_download_takes_over_when_the_first_fails(bench: Bench) -> None:
    async with serving(Cdn([say(400), serve])) as cdn:
        first, second = await asyncio.gather(bench.get(cdn.url), bench.get(cdn.url), return_exceptions=True)
    assert isinstance(first, DownloadFailed)
    assert second == bench.target
    bench.whole()


async def test_downloads_of_different_targets_run_at_once(bench: Bench, tmp_path: Path) -> None:
    async with serving(Cdn([serve])) as cdn:
        others = [Bench(bench.session, tmp_path / f"{number}.mp4") for number in range(6)]
        await asyncio.gather(*(other.get(cdn.url) for other in others))
    assert all(other.target.read_bytes() == VIDEO for other in others)


async def test_a_callers_own_error_ends_the_download_cleanly(bench: Bench) -> None:
    def broken(come: int, total: int | None) -> None:
        raise ValueError("a bug of the caller")

    async with serving(Cdn([serve])) as cdn:
        with pytest.raises(ValueError, match="a bug of the caller"):
            await download(
                bench.session,
                cdn.url,
                bench.target,
                refresh=bench.refresh,
                api_is_loopback=True,
                progress=broken,
            )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
async def test_a_full_disk_is_said(bench: Bench) -> None:
    bench.target.parent.mkdir()
    bench.part.symlink_to("/dev/full")
    async with serving(Cdn([serve])) as cdn:
        text = await bench.fails(cdn.url, "the disk is full")
    assert "Free some space" in text
    assert len(cdn.requests) == 1


async def test_a_folder_that_can_not_be_made_is_said(bench: Bench) -> None:
    bench.target.parent.write_text("a file where the folder should be")
    async with serving(Cdn([serve])) as cdn:
        with pytest.raises(DownloadFailed, match="could not be saved") as caught:
            await bench.get(cdn.url)
    assert cdn.requests == []
    assert str(bench.target.parent) not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "may not write into its folder kling_takes"),
        (errno.EROFS, "may not write into its folder kling_takes"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "the disk refused"),
    ],
)
@pytest.mark.parametrize("step", ["_open", "_write", "_finish"])
async def test_what_the_disk_refuses_is_said_without_a_path(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str, number: int, says: str
) -> None:
    def refuse(self: part_file.PartFile, *args: Any) -> Any:
        raise OSError(number, os.strerror(number), str(bench.target))

    monkeypatch.setattr(part_file.PartFile, step, refuse)
    async with serving(Cdn([serve])) as cdn:
        await bench.fails(cdn.url, says)


async def test_a_part_that_another_program_wrote_into_is_not_delivered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = part_file.PartFile._finish

    def spoilt(self: part_file.PartFile) -> None:
        with bench.part.open("ab") as other:
            other.write(b"more")
        real(self)

    monkeypatch.setattr(part_file.PartFile, "_finish", spoilt)
    async with serving(Cdn([serve])) as cdn:
        await bench.fails(cdn.url, "something else wrote into the file")
    assert list(bench.target.parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="`resource` is POSIX")
async def test_the_video_is_never_whole_in_memory(bench: Bench) -> None:
    import tracemalloc

    size = 40 << 20

    async def large(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        response.content_length = size
        await response.prepare(request)
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            await response.write(block)
        return response

    async with serving(Cdn([large])) as cdn:
        tracemalloc.start()
        try:
            await bench.get(cdn.url, DownloadPolicy())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert bench.target.stat().st_size == size
    assert peak < 12 << 20
