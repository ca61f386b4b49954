"""Downloads that break off: they go on where they stopped, and never mix two files."""

from __future__ import annotations

import pytest
from aiohttp import web

from kling_takes.apis.errors import DownloadFailed
from kling_takes.tests.cdn import ETAG, VIDEO, Cdn, Downloader, cut, head, say, serve, serving


async def test_a_video_comes_whole_and_leaves_nothing_else(downloader: Downloader) -> None:
    async with serving(Cdn([serve])) as cdn:
        assert await downloader.get(cdn.url) == downloader.target
    downloader.whole()
    assert downloader.told[-1] == (len(VIDEO), len(VIDEO))
    assert [come for come, _ in downloader.told] == sorted(come for come, _ in downloader.told)
    assert cdn.requests[0].headers["Accept-Encoding"] == "identity"
    assert "Range" not in cdn.requests[0].headers


async def test_an_existing_target_is_replaced_in_one_step(downloader: Downloader) -> None:
    downloader.target.parent.mkdir()
    downloader.target.write_bytes(b"old")
    async with serving(Cdn([serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()


async def test_a_failed_download_leaves_the_old_target_alone(downloader: Downloader) -> None:
    downloader.target.parent.mkdir()
    downloader.target.write_bytes(b"old")
    async with serving(Cdn([say(500)])) as cdn:
        with pytest.raises(DownloadFailed, match="HTTP 500"):
            await downloader.get(cdn.url)
    assert downloader.target.read_bytes() == b"old"


async def test_a_dropped_connection_goes_on_where_it_stopped(downloader: Downloader) -> None:
    async with serving(Cdn([cut(100_000), serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [None, "bytes=100000-"]
    assert cdn.requests[1].headers["If-Range"] == ETAG
    assert downloader.slept == [0.5]


async def test_last_modified_is_the_validator_where_there_is_no_strong_etag(downloader: Downloader) -> None:
    date = "Sun, 20 Sep 2026 00:00:00 GMT"
    async with serving(Cdn([cut(100_000, **{"Last-Modified": date}), serve], etag='W/"weak"')) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.requests[1].headers["If-Range"] == date


async def test_without_a_validator_it_starts_again(downloader: Downloader) -> None:
    async with serving(Cdn([cut(100_000), serve], etag=None)) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [None, None]


async def test_a_server_that_ignores_the_range_is_taken_from_the_start(downloader: Downloader) -> None:
    async with serving(Cdn([cut(100_000), say(200, VIDEO, Content_Type="video/mp4")])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges()[1] == "bytes=100000-"


async def test_a_video_that_changed_meanwhile_is_taken_from_the_start(downloader: Downloader) -> None:
    other = Cdn([serve], video=VIDEO[::-1].replace(b"<", b"_"), etag='"two"')
    downloader.leave(100_000)
    async with serving(other) as cdn:
        await downloader.get(cdn.url)
    downloader.whole(other)
    assert cdn.requests[0].headers["If-Range"] == ETAG


async def test_a_part_of_an_earlier_run_is_continued(downloader: Downloader) -> None:
    downloader.leave(200_000)
    async with serving(Cdn([serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
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
async def test_a_part_without_a_sound_note_is_not_continued(downloader: Downloader, note: str | None) -> None:
    downloader.leave(100_000)
    downloader.part.write_bytes(b"something else" * 8000)
    downloader.note.unlink()
    if note is not None:
        downloader.note.write_text(note)
    async with serving(Cdn([serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [None]
    assert "X-Evil" not in cdn.requests[0].headers


async def test_a_useless_part_is_no_measure_of_progress(downloader: Downloader) -> None:
    downloader.leave(250_000, validator=None)
    async with serving(Cdn([*[say(500)] * 4, cut(100_000), *[say(500)] * 3, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()


async def test_a_part_that_was_complete_already_is_only_renamed(downloader: Downloader) -> None:
    downloader.leave(len(VIDEO))
    async with serving(Cdn([serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [f"bytes={len(VIDEO)}-"]


async def test_a_416_that_does_not_fit_the_part_starts_again(downloader: Downloader) -> None:
    downloader.leave(100_000)
    async with serving(Cdn([say(416, Content_Range=f"bytes */{len(VIDEO)}"), serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
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
async def test_a_part_that_was_not_asked_for_is_never_mixed_in(
    downloader: Downloader, content_range: str
) -> None:
    assert len(VIDEO) == 300_012
    downloader.leave(100_000)
    wrong = say(206, b"\x00" * 200_012, Content_Range=content_range, ETag=ETAG, Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


async def test_a_206_under_another_etag_is_never_mixed_in(downloader: Downloader) -> None:
    downloader.leave(100_000)
    content_range = f"bytes 100000-{len(VIDEO) - 1}/{len(VIDEO)}"
    wrong = say(206, b"\x00" * 200_012, Content_Range=content_range, ETag='"two"', Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == ["bytes=100000-", None]


async def test_a_206_nobody_asked_for_is_not_taken_for_the_whole(downloader: Downloader) -> None:
    wrong = say(206, VIDEO[:1000], Content_Range="bytes 0-999/1000", Content_Type="video/mp4")
    async with serving(Cdn([wrong, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()


async def test_a_server_that_gives_less_than_the_range_is_asked_for_the_rest(downloader: Downloader) -> None:
    downloader.leave(100_000)
    some = say(
        206,
        VIDEO[100_000:150_000],
        Content_Range=f"bytes 100000-149999/{len(VIDEO)}",
        ETag=ETAG,
        Content_Type="video/mp4",
    )
    async with serving(Cdn([some, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == ["bytes=100000-", "bytes=150000-"]


async def test_more_bytes_than_the_range_said_are_thrown_away(downloader: Downloader) -> None:
    downloader.leave(100_000)

    async def more(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        status, _, headers = head(cdn, request)
        response = web.StreamResponse(status=status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"\x00" * 250_000)
        return response

    async with serving(Cdn([more, serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == ["bytes=100000-", None]
