"""Links that fail, expire or lead on: how often they are tried, and what goes out with a request."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from kling_takes.apis.download import job
from kling_takes.apis.errors import TaskGone
from kling_takes.tests.cdn import ETAG, POLICY, VIDEO, Cdn, Downloader, cut, reset, say, serve, serving, stall


async def test_five_tries_without_progress_are_the_end(downloader: Downloader) -> None:
    async with serving(Cdn([reset])) as cdn:
        async with aiohttp.ClientSession() as plain:
            with pytest.raises(aiohttp.ClientError):
                await plain.get(cdn.url)
        by_itself = len(cdn.requests)  # some versions of aiohttp repeat a GET once by themselves
        await downloader.fails(cdn.url, "the connection broke off")
    assert len(cdn.requests) == by_itself + 5 * by_itself
    assert downloader.slept == [0.5, 1, 2, 4]
    assert list(downloader.target.parent.iterdir()) == []


async def test_progress_gives_five_new_tries(downloader: Downloader) -> None:
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
        await downloader.get(cdn.url)
    downloader.whole()
    assert downloader.slept == [0.5, 1, 0.5, 1, 2, 4, 0.5, 1, 2]


async def test_starting_again_and_again_is_no_progress(downloader: Downloader) -> None:
    """A server that knows no ranges and always breaks off would keep us busy for ever."""
    async with serving(Cdn([cut(100_000, ranges=False)])) as cdn:
        await downloader.fails(cdn.url, "the connection broke off")
    assert len(cdn.requests) == 5
    assert list(downloader.target.parent.iterdir()) == []


async def test_even_steady_crumbs_come_to_an_end(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MAX_REQUESTS", 8)

    async def crumb(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        if not start:
            return await cut(10)(cdn, request)
        headers = {"Content-Range": f"bytes {start}-{start}/{len(VIDEO)}", "ETag": ETAG}
        return web.Response(status=206, body=VIDEO[start : start + 1], headers=headers)

    async with serving(Cdn([crumb])) as cdn:
        await downloader.fails(cdn.url, "not complete after 8 requests")
    assert len(cdn.requests) == 8
    assert downloader.part.read_bytes() == VIDEO[:17]


async def test_a_stalled_connection_is_left_and_resumed(downloader: Downloader) -> None:
    async with serving(Cdn([stall(100_000), serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [None, "bytes=100000-"]


async def test_a_server_that_never_answers_is_given_up(downloader: Downloader) -> None:
    async def silent(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(Cdn([silent])) as cdn:
        await downloader.fails(
            cdn.url, r"nothing came for 0\.03 s", dataclasses.replace(POLICY, stall_seconds=0.03, tries=2)
        )


async def test_a_server_that_is_not_there_is_said(downloader: Downloader) -> None:
    async with serving(Cdn([serve])) as cdn:
        url = cdn.url
    await downloader.fails(url, "the server could not be reached")
    assert len(downloader.slept) == 4


async def test_plain_http_where_https_was_promised_is_said(downloader: Downloader) -> None:
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(
            cdn.url.replace("http:", "https:"), "no secure connection", dataclasses.replace(POLICY, tries=2)
        )


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_expired_link_is_asked_for_again_once(downloader: Downloader, status: int) -> None:
    async with serving(Cdn([say(status), serve])) as cdn:
        downloader.fresh = [cdn.url + "&fresh=1"]
        await downloader.get(cdn.url)
    downloader.whole()
    assert downloader.refreshed == 1
    assert cdn.requests[1].query["fresh"] == "1"
    assert downloader.slept == []


async def test_a_fresh_link_that_is_expired_too_is_the_end(downloader: Downloader) -> None:
    async with serving(Cdn([say(403, b"<html>denied</html>", Content_Type="text/html")])) as cdn:
        downloader.fresh = [cdn.url, cdn.url]
        await downloader.fails(cdn.url, "the link answered HTTP 403", status=403)
    assert downloader.refreshed == 1
    assert len(cdn.requests) == 2


async def test_a_link_that_expires_again_after_progress_is_asked_for_again(downloader: Downloader) -> None:
    async with serving(Cdn([say(403), cut(100_000), say(403), serve])) as cdn:
        downloader.fresh = [cdn.url, cdn.url]
        await downloader.get(cdn.url)
    downloader.whole()
    assert downloader.refreshed == 2
    assert cdn.ranges() == [None, None, "bytes=100000-", "bytes=100000-"]


async def test_what_the_query_for_a_fresh_link_raises_is_passed_on(downloader: Downloader) -> None:
    async with serving(Cdn([say(404)])) as cdn:
        downloader.fresh = [TaskGone("gone")]
        with pytest.raises(TaskGone):
            await downloader.get(cdn.url)
    assert list(downloader.target.parent.iterdir()) == []


async def test_a_fresh_link_obeys_the_same_rules(downloader: Downloader) -> None:
    async with serving(Cdn([say(403)])) as cdn:
        downloader.fresh = ["file:///etc/passwd"]
        await downloader.fails(cdn.url, "is not an https link, so it was not followed")


async def test_redirects_are_followed_and_the_range_goes_along(downloader: Downloader) -> None:
    downloader.leave(100_000)

    async def hop(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/deep/v.mp4?hop=1#fragment"})

    async with serving(Cdn([hop, say(302, Location="../v.mp4"), serve])) as cdn:
        await downloader.get(cdn.url)
    downloader.whole()
    assert [request.path for request in cdn.requests] == ["/v.mp4", "/deep/v.mp4", "/v.mp4"]
    assert cdn.ranges() == ["bytes=100000-"] * 3


async def test_a_circle_of_redirects_comes_to_an_end(downloader: Downloader) -> None:
    for location in ({"Location": "/again"}, {}):
        async with serving(Cdn([say(302, **location)])) as cdn:
            await downloader.fails(cdn.url, "redirected more than 5 times")
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
async def test_a_redirect_obeys_the_same_rules_as_a_link(downloader: Downloader, location: str) -> None:
    async with serving(Cdn([say(302, Location=location)])) as cdn:
        await downloader.fails(cdn.url, "so it was not followed")
    assert len(cdn.requests) == 1


async def test_plain_http_to_this_machine_is_only_for_an_api_on_this_machine(downloader: Downloader) -> None:
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(cdn.url, "is not an https link", api_is_loopback=False)
    assert cdn.requests == []


@pytest.mark.usefixtures("no_proxies")
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
        downloader = Downloader(session, tmp_path / "v.mp4")
        await downloader.get(cdn.url)
    assert downloader.target.read_bytes() == VIDEO
    assert len(cdn.requests) >= 3
    for request in cdn.requests:
        assert canary not in str(request.raw_headers)
        assert "Authorization" not in request.headers


async def test_a_proxy_from_the_environment_is_used_with_its_login(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Cdn([serve])) as proxy:
        host = proxy.url.split("/")[2]
        monkeypatch.setenv("http_proxy", f"http://ann:pw@{host}")
        await downloader.get("http://127.0.0.1:9/v.mp4")
        assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
        assert proxy.requests[0].url.port == 9
        monkeypatch.setenv("http_proxy", host)
        await downloader.get("http://127.0.0.1:9/v.mp4")
        assert "Proxy-Authorization" not in proxy.requests[1].headers
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        downloader.target.unlink()
        await downloader.fails(
            "http://127.0.0.1:9/v.mp4", "could not be reached", dataclasses.replace(POLICY, tries=1)
        )
        for odd in ("socks5://127.0.0.1:9", "http://", "http://["):
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.setenv("http_proxy", odd)
            await downloader.get(proxy.url)
    downloader.whole()
