"""Every fault as a client sees it, and on which side of the making it strikes."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest

from kling_takes.simulator.faults import EARLY, LATE, Fault

T2V = "/v1/videos/text2video"


async def url_of(bench) -> str:
    return (await bench.finished())["task_result"]["videos"][0]["url"]


async def raw(bench, method: str, url: str, **options):
    headers = {} if "/cdn/" in url else {"Authorization": "Bearer api-key-kling-simulator"}
    async with bench.session.request(method, url, headers=headers, **options) as reply:
        return reply.status, reply.headers, await reply.read()


def body(size: int = 0) -> dict:
    return {"model_name": "kling-v2-6", "prompt": "a fox", "external_task_id": "kt-1", "pad": "x" * size}


@pytest.mark.parametrize(
    "fault", [Fault("create", "reset_before_headers"), Fault("create", "reset_after_bytes", at=40)]
)
async def test_a_reset_before_the_work_makes_nothing(bench, fault):
    bench.state.faults.append(fault)
    with pytest.raises(aiohttp.ClientOSError):
        await raw(bench, "POST", bench.url + T2V, json=body(300_000))
    assert (bench.state.creates_received, bench.state.creates_accepted) == (1, 0)
    assert (await bench.create())[0] == 200


async def test_a_reset_after_the_work_leaves_the_task(bench):
    bench.state.faults.append(Fault("create", "make_then_reset"))
    with pytest.raises(aiohttp.ClientOSError):
        await raw(bench, "POST", bench.url + T2V, json=body())
    assert bench.state.creates_accepted == 1
    assert (await bench.task("kt-1"))["task_status"] == "submitted"


async def test_half_an_answer_is_whole_http_and_no_json(bench):
    bench.state.faults.append(Fault("create", "truncated_json"))
    status, headers, content = await raw(bench, "POST", bench.url + T2V, json=body())
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    with pytest.raises(json.JSONDecodeError):
        json.loads(content)
    assert bench.state.creates_accepted == 1


async def test_an_answer_can_be_large_and_still_be_the_answer(bench):
    identifier = await bench.made()
    bench.state.faults.append(Fault("query", "large_answer", at=2_000_000))
    status, _, content = await raw(bench, "GET", f"{bench.url}{T2V}/{identifier}")
    assert status == 200
    assert 1_900_000 < len(content) < 2_100_000
    assert json.loads(content)["data"]["task_id"] == identifier


async def test_an_html_502_hides_a_task_that_was_made(bench):
    bench.state.faults.append(Fault("create", "html_502_after_make"))
    status, headers, content = await raw(bench, "POST", bench.url + T2V, json=body())
    assert status == 502
    assert "text/html" in headers["Content-Type"]
    assert b"Bad Gateway" in content
    assert bench.state.creates_accepted == 1


async def test_a_500_before_the_work_makes_nothing(bench):
    bench.state.faults.append(Fault("create", "error_500_before"))
    status, answer = await bench.create()
    assert (status, answer["code"]) == (500, 5000)
    assert bench.state.creates_accepted == 0


@pytest.mark.parametrize(("on", "code"), [("create", 1303), ("query", 1302)])
async def test_pacing_says_so_and_may_name_a_time(bench, on, code):
    identifier = await bench.made()
    bench.state.faults.append(Fault(on, "paced", times=2, retry_after="7"))
    for _ in range(2):
        if on == "create":
            status, headers, content = await raw(bench, "POST", bench.url + T2V, json=body())
        else:
            status, headers, content = await raw(bench, "GET", f"{bench.url}{T2V}/{identifier}")
        assert (status, headers["Retry-After"]) == (429, "7")
        assert f'"code": {code}'.encode() in content
        assert b'"data"' not in content
    assert bench.state.faults == []
    assert bench.state.creates_accepted == 1


async def test_a_hanging_answer_comes_late_and_the_task_is_made(bench):
    bench.state.faults.append(Fault("create", "hang", seconds=0.05))
    begun = time.monotonic()
    assert (await bench.create())[0] == 200
    assert time.monotonic() - begun >= 0.05
    bench.state.faults.append(Fault("create", "hang", seconds=30))
    with pytest.raises(asyncio.TimeoutError):
        await bench.ask("POST", T2V, json=body(), timeout=aiohttp.ClientTimeout(total=0.05))
    assert bench.state.creates_accepted == 2


@pytest.mark.parametrize("on", ["query", "lookup", "list", "account"])
async def test_a_fault_strikes_only_its_own_kind_of_request(bench, on):
    identifier = await bench.made(external_task_id="kt-1")
    costs = "/account/costs?start_time=1789000000000&end_time=1790000000000"
    paths = {"query": f"{T2V}/{identifier}", "lookup": f"{T2V}/kt-1", "list": T2V, "account": costs}
    bench.state.faults.append(Fault(on, "html_403"))
    for name, path in paths.items():
        if name != on:
            assert (await bench.ask("GET", path))[0] == 200
    assert (await raw(bench, "GET", bench.url + paths[on]))[0] == 403
    assert bench.state.faults == []


async def test_a_lookup_and_a_query_are_told_apart_in_the_new_standard_too(bench):
    bench.state.faults += [Fault("lookup", "html_403"), Fault("query", "html_403")]
    for query, left in (("external_task_ids=kt-1", ["query"]), ("task_ids=1", [])):
        assert (await raw(bench, "GET", f"{bench.url}/tasks?{query}"))[0] == 403
        assert [fault.on for fault in bench.state.faults] == left


async def test_faults_come_in_their_order_and_as_often_as_asked(bench):
    bench.state.faults += [Fault("any", "error_500_before", times=2), Fault("create", "html_403")]
    assert [(await raw(bench, "POST", bench.url + T2V, json=body()))[0] for _ in range(4)] == [
        500,
        500,
        403,
        200,
    ]


async def test_a_redirect_leads_where_it_is_told_to(bench):
    bench.state.faults.append(Fault("query", "redirect", location="http://127.0.0.1:1/elsewhere"))
    status, headers, _ = await raw(bench, "GET", f"{bench.url}{T2V}/{'1' * 18}", allow_redirects=False)
    assert (status, headers["Location"]) == (302, "http://127.0.0.1:1/elsewhere")


@pytest.mark.parametrize("kind", ["truncate_download", "wrong_length"])
async def test_a_download_that_ends_early_breaks_its_content_length(bench, kind):
    url = await url_of(bench)
    _, _, whole = await raw(bench, "GET", url)
    bench.state.faults.append(Fault("download", kind, at=1000))
    received = bytearray()

    async def read_into(target: bytearray) -> None:
        async with bench.session.get(url) as reply:
            async for piece in reply.content.iter_any():
                target += piece

    with pytest.raises(aiohttp.ClientPayloadError):
        await read_into(received)
    assert received == (whole[:1000] if kind == "truncate_download" else whole)
    _, _, rest = await raw(bench, "GET", url)
    assert rest == whole


@pytest.mark.parametrize("kind", ["expired_link", "html_403"])
async def test_a_link_can_be_refused_once(bench, kind):
    url = await url_of(bench)
    bench.state.faults.append(Fault("download", kind))
    status, headers, _ = await raw(bench, "GET", url)
    assert status == 403
    assert "text/html" in headers["Content-Type"]
    assert (await raw(bench, "GET", url))[0] == 200


async def test_a_download_can_hang_and_be_reset(bench):
    url = await url_of(bench)
    bench.state.faults.append(Fault("download", "hang", seconds=0.02))
    assert (await raw(bench, "GET", url))[0] == 200
    # aiohttp asks a second time by itself when a kept-alive connection breaks, so both tries meet a fault.
    bench.state.faults.append(Fault("download", "reset_before_headers", times=2))
    with pytest.raises(aiohttp.ClientError):
        await raw(bench, "GET", url)


async def test_a_client_that_leaves_in_the_middle_of_its_request_makes_nothing(bench, caplog):
    host, port = bench.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {T2V} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer api-key-kling-simulator\r\n"
    writer.write(f'{head}Content-Length: 1000\r\n\r\n{{"model_name":'.encode())
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()
    await asyncio.sleep(0.02)
    assert (bench.state.creates_received, bench.state.creates_accepted) == (1, 0)
    assert caplog.records == []


def test_every_kind_is_on_exactly_one_side_of_the_work():
    assert not EARLY & LATE


@pytest.mark.parametrize("wrong", [{"on": "poll"}, {"kind": "explode"}, {"times": 0}])
def test_a_fault_that_means_nothing_is_refused_when_it_is_made(wrong):
    with pytest.raises(ValueError, match="Fault"):
        Fault(**({"on": "create", "kind": "hang"} | wrong))
