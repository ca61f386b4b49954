"""What a link must lead to: a video, an image or a sound, whole, and no larger than it may be."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import io
import json
import wave
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web
from PIL import Image

from kling_takes.apis.download import part_file
from kling_takes.apis.download.kinds import KINDS
from kling_takes.tests.cdn import ETAG, VIDEO, Cdn, Downloader, chunked, cut, say, serve, serving


@pytest.fixture
def caps_of_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in KINDS.items():
        monkeypatch.setitem(KINDS, name, dataclasses.replace(kind, max_bytes=1 << 20))


def picture(form: str) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((64, 48), 80).save(stream, form)
    return stream.getvalue()


def sound(codec: str, container: str, **options: str) -> bytes:
    """A tenth of a second of silence."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=container, options=options) as output:
        track = output.add_stream(codec, rate=44_100)
        silence = np.zeros((1, 4410), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 44_100
        for packet in (*track.encode(frame), *track.encode(None)):
            output.mux(packet)
    return stream.getvalue()


def wav() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return stream.getvalue()


FILES: dict[str, tuple[str, bytes, str]] = {
    "a PNG": ("image", picture("PNG"), "image/png"),
    "a JPEG": ("image", picture("JPEG"), "image/jpeg"),
    "a WebP": ("image", picture("WEBP"), "image/webp"),
    "a PNG from a careless server": ("image", picture("PNG"), "binary/octet-stream"),
    "an MP3": ("audio", sound("mp3", "mp3"), "audio/mpeg"),
    "an MP3 without a tag": ("audio", sound("mp3", "mp3", id3v2_version="0"), "audio/mpeg"),
    "a WAV": ("audio", wav(), "audio/wav"),
    "an M4A": ("audio", sound("aac", "mp4"), "video/mp4"),
}
each_file = pytest.mark.parametrize("name", FILES)


@each_file
async def test_a_result_of_each_kind_comes_whole(downloader: Downloader, name: str) -> None:
    kind, body, content_type = FILES[name]
    async with serving(Cdn([serve], video=body, content_type=content_type)) as cdn:
        assert await downloader.get(cdn.url, kind=kind) == downloader.target
    downloader.whole(cdn)


@each_file
async def test_a_result_of_each_kind_goes_on_where_it_stopped(downloader: Downloader, name: str) -> None:
    kind, body, content_type = FILES[name]
    async with serving(Cdn([cut(40), serve], video=body, content_type=content_type)) as cdn:
        await downloader.get(cdn.url, kind=kind)
    downloader.whole(cdn)
    assert cdn.ranges() == [None, "bytes=40-"]


@each_file
async def test_a_beginning_that_comes_byte_by_byte_is_known_all_the_same(
    downloader: Downloader, name: str
) -> None:
    kind, body, content_type = FILES[name]

    async def trickle(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        response.content_length = len(body)
        await response.prepare(request)
        for start in range(13):
            await response.write(body[start : start + 1])
            await asyncio.sleep(0.002)
        await response.write(body[13:])
        return response

    async with serving(Cdn([trickle], video=body)) as cdn:
        await downloader.get(cdn.url, kind=kind)
    downloader.whole(cdn)


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("image", VIDEO, "a file that is not a PNG, JPEG or WebP image"),
        ("image", wav(), "a file that is not a PNG, JPEG or WebP image"),
        ("image", b"GIF89a" + bytes(50), "a file that is not a PNG, JPEG or WebP image"),
        ("image", b"\x89PNG", "a file that is not a PNG, JPEG or WebP image"),
        ("image", b"<svg/>" + bytes(50), "a web page or a message, not to an image"),
        ("audio", picture("PNG"), "a file that is not an MP3, WAV or MP4 sound"),
        ("audio", picture("WEBP"), "a file that is not an MP3, WAV or MP4 sound"),
        ("audio", picture("JPEG"), "a file that is not an MP3, WAV or MP4 sound"),
        ("audio", "no sound".encode("utf-16"), "a file that is not an MP3, WAV or MP4 sound"),
        ("audio", b'{"error": "expired"}', "a web page or a message, not to a sound"),
    ],
)
async def test_another_file_in_place_of_the_result_is_refused(
    downloader: Downloader, kind: str, body: bytes, says: str
) -> None:
    async with serving(Cdn([serve], video=body, content_type="application/octet-stream")) as cdn:
        await downloader.fails(cdn.url, says, kind=kind)
    assert len(cdn.requests) == 1
    assert list(downloader.target.parent.iterdir()) == []


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/json", "application/xml"])
@pytest.mark.parametrize("name", ["a PNG", "an MP3"])
async def test_what_calls_itself_a_message_is_not_looked_at(
    downloader: Downloader, name: str, content_type: str
) -> None:
    kind, body, _ = FILES[name]
    async with serving(Cdn([serve], video=body, content_type=content_type)) as cdn:
        await downloader.fails(cdn.url, "a web page or a message", kind=kind)


@pytest.mark.parametrize(("kind", "noun"), [("video", "video"), ("image", "image"), ("audio", "sound")])
async def test_every_sentence_calls_the_result_by_its_name(
    downloader: Downloader, kind: str, noun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Cdn([say(400)])) as cdn:
        assert await downloader.fails(cdn.url, "HTTP 400", kind=kind) == (
            f"The {noun} could not be downloaded: the server answered HTTP 400. The {noun} is made and Kling "
            "keeps it for 30 days: queue the same take again to collect it, nothing is paid again. "
            "(task 8421)"
        )

    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part_file.PartFile, "_open", refuse)
    assert await downloader.fails("https://127.0.0.1:9/v", "saved", kind=kind) == (
        f"The {noun} could not be saved: the disk is full. The {noun} is made and Kling keeps it for 30 "
        "days: queue the same take again to collect it, nothing is paid again. Free some space first. "
        "(task 8421)"
    )


@pytest.mark.usefixtures("caps_of_a_megabyte")
@pytest.mark.parametrize(("name", "noun"), [("a PNG", "image"), ("an MP3", "sound")])
@pytest.mark.parametrize("act", [serve, chunked])
async def test_an_image_and_a_sound_have_caps_too(
    downloader: Downloader, name: str, noun: str, act: Any
) -> None:
    kind, body, content_type = FILES[name]
    async with serving(Cdn([act], video=body.ljust((1 << 20) + 1, b"\0"), content_type=content_type)) as cdn:
        await downloader.fails(cdn.url, f"the {noun} is larger than 1 MB", kind=kind)
    assert list(downloader.target.parent.iterdir()) == []


async def test_an_empty_image_is_asked_for_again(downloader: Downloader) -> None:
    async with serving(Cdn([say(200, b"", Content_Type="image/png"), serve], video=picture("PNG"))) as cdn:
        await downloader.get(cdn.url, kind="image")
    downloader.whole(cdn)


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
async def test_a_page_in_place_of_the_video_is_refused(
    downloader: Downloader, body: bytes, content_type: str
) -> None:
    async with serving(Cdn([say(200, body, Content_Type=content_type)])) as cdn:
        await downloader.fails(cdn.url, "a web page or a message, not to a video")
    assert len(cdn.requests) == 1
    assert list(downloader.target.parent.iterdir()) == []


async def test_a_page_in_place_of_the_rest_leaves_the_part_as_it_was(downloader: Downloader) -> None:
    downloader.leave(100_000)
    async with serving(Cdn([say(200, b"<html>", Content_Type="application/octet-stream")])) as cdn:
        await downloader.fails(cdn.url, "a web page")
    assert downloader.part.read_bytes() == VIDEO[:100_000]
    assert json.loads(downloader.note.read_text())["validator"] == ETAG


async def test_the_note_beside_a_part_holds_no_link(downloader: Downloader) -> None:
    async with serving(Cdn([cut(100_000), say(400)])) as cdn:
        await downloader.fails(cdn.url, "HTTP 400")
    assert json.loads(downloader.note.read_text()) == {"validator": ETAG, "total": len(VIDEO)}
    assert downloader.part.read_bytes() == VIDEO[:100_000]


async def test_a_packed_answer_is_refused(downloader: Downloader) -> None:
    async with serving(
        Cdn([say(200, b"\x1f\x8b123", Content_Encoding="gzip", Content_Type="video/mp4")])
    ) as cdn:
        await downloader.fails(cdn.url, "packed the video")


async def test_an_empty_answer_is_no_video(downloader: Downloader) -> None:
    async with serving(Cdn([say(200, b"", Content_Type="video/mp4")])) as cdn:
        await downloader.fails(cdn.url, "an empty file")
    assert len(cdn.requests) == 5


@pytest.mark.usefixtures("caps_of_a_megabyte")
async def test_a_video_above_the_cap_is_refused_before_it_comes(downloader: Downloader) -> None:
    async with serving(Cdn([serve], video=b"\x00" * (1 << 20) + b"\x00")) as cdn:
        await downloader.fails(cdn.url, "larger than 1 MB")
    assert list(downloader.target.parent.iterdir()) == []


@pytest.mark.usefixtures("caps_of_a_megabyte")
async def test_a_video_of_unknown_size_is_cut_at_the_cap(downloader: Downloader) -> None:
    async with serving(Cdn([chunked], video=b"\x00" * (1 << 20) + b"\x00")) as cdn:
        await downloader.fails(cdn.url, "larger than 1 MB")
    assert list(downloader.target.parent.iterdir()) == []


async def test_a_chunked_answer_that_ends_properly_is_whole(downloader: Downloader) -> None:
    async with serving(Cdn([chunked])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()


async def test_an_answer_whose_end_can_not_be_told_from_a_break_is_not_trusted(
    downloader: Downloader,
) -> None:
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
        await downloader.fails(f"http://127.0.0.1:{port}/v.mp4", "did not say how long the video is")


async def test_other_answers_are_refused_at_once(downloader: Downloader) -> None:
    for status in (204, 304, 400, 451):
        async with serving(Cdn([say(status)])) as cdn:
            await downloader.fails(cdn.url, f"HTTP {status}", status=status)
        assert len(cdn.requests) == 1
