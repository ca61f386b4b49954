"""The CDN: signed links with an end, Range and If-Range, and no business with credentials."""

from __future__ import annotations

import io

import av
import pytest


async def link(bench, **body) -> str:
    data = await bench.finished(**body)
    return str(data["task_result"]["videos"][0]["url"])


async def fetch(bench, url: str, **headers):
    async with bench.session.get(url, headers=headers) as reply:
        return reply.status, await reply.read(), reply.headers


async def test_a_link_gives_a_playable_mp4_and_is_counted(bench):
    status, content, headers = await fetch(bench, await link(bench))
    assert (status, headers["Content-Type"]) == (200, "video/mp4")
    assert headers["Accept-Ranges"] == "bytes"
    assert int(headers["Content-Length"]) == len(content) == bench.state.bytes_sent
    assert bench.state.downloads == 1
    with av.open(io.BytesIO(content)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 24


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-", 0, None), ("bytes=100-199", 100, 200), ("bytes=-50", -50, None)]
)
async def test_a_range_gives_a_part(bench, asked, start, end):
    url = await link(bench)
    _, whole, _ = await fetch(bench, url)
    status, part, headers = await fetch(bench, url, Range=asked)
    assert (status, part) == (206, whole[start:end])
    first = start % len(whole)
    assert headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"


async def test_a_range_behind_the_end_is_a_416_with_the_size(bench):
    url = await link(bench)
    _, whole, _ = await fetch(bench, url)
    status, _, headers = await fetch(bench, url, Range=f"bytes={len(whole)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


async def test_a_changed_file_is_sent_whole_when_if_range_names_the_old_one(bench):
    url = await link(bench)
    _, whole, headers = await fetch(bench, url)
    conditional = {"Range": "bytes=100-", "If-Range": headers["ETag"]}
    assert (await fetch(bench, url, **conditional))[0] == 206
    bench.state.etag_salt = "changed"
    status, content, _ = await fetch(bench, url, **conditional)
    assert (status, content) == (200, whole)


async def test_head_gives_the_size_and_no_body(bench):
    async with bench.session.head(await link(bench)) as reply:
        assert reply.status == 200
        assert int(reply.headers["Content-Length"]) > 1000
    assert bench.state.bytes_sent == 0


async def test_a_link_ends_and_a_query_renews_it(bench):
    bench.state.link_ttl_seconds = 60
    data = await bench.finished()
    url = data["task_result"]["videos"][0]["url"]
    bench.now += 59
    assert (await fetch(bench, url))[0] == 200
    bench.now += 1
    status, content, headers = await fetch(bench, url)
    assert (status, headers["Content-Type"].split(";")[0]) == (403, "text/html")
    assert content.startswith(b"<html>")
    renewed = (await bench.task(data["task_id"]))["task_result"]["videos"][0]["url"]
    assert renewed != url
    assert (await fetch(bench, renewed))[0] == 200


async def test_after_thirty_days_the_video_is_gone(bench):
    url = await link(bench)
    bench.now += 30 * 86400
    status, _, headers = await fetch(bench, url)
    assert (status, headers["Content-Type"].split(";")[0]) == (404, "text/html")


async def test_a_forged_link_is_refused(bench):
    url = await link(bench)
    other = await bench.finished(prompt="another")
    for forged in (
        url.replace("Expires=1", "Expires=2"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.split("?")[0],
        url.replace(url.split("/cdn/")[1].split("?")[0], other["task_id"] + ".mp4"),
        f"{url.split('&')[0]}&Signature=%C3%A4",
    ):
        assert (await fetch(bench, forged))[0] == 403


async def test_a_credential_that_reaches_the_cdn_is_noticed(bench):
    url = await link(bench)
    await fetch(bench, url)
    assert bench.state.cdn_saw_authorization is False
    await fetch(bench, url, Authorization="Bearer x")
    assert bench.state.cdn_saw_authorization is True


async def test_the_cdn_takes_no_post(bench):
    async with bench.session.post(await link(bench)) as reply:
        assert reply.status == 405
