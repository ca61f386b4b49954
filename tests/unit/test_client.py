"""One exchange and the asking that follows, against real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import BaseModel

from kling_takes.apis import errors
from kling_takes.apis.client import (
    Connection,
    PollingOperation,
    SynchronousOperation,
    Timeouts,
    retry_after_of,
)
from kling_takes.apis.credentials import ApiKey
from kling_takes.apis.kling.endpoint import ApiEndpoint, HttpMethod
from kling_takes.apis.polling import Schedule
from kling_takes.apis.transport.session import _sessions, open_session
from kling_takes.tests.virtual_time import VirtualClock

TIMEOUTS = Timeouts(connect=1.0, read=0.3, whole=1.0)


class Asked(BaseModel):
    prompt: str
    note: str | None = None


class Answered(BaseModel):
    code: int
    data: dict[str, Any] | None = None


CREATE = ApiEndpoint("/v1/thing", HttpMethod.POST, Asked, Answered)
QUERY: ApiEndpoint[BaseModel, Answered] = ApiEndpoint("/v1/thing/1", HttpMethod.GET, None, Answered)


@asynccontextmanager
async def server(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def connection(url: str, canary: str = "k", clock: Any = None) -> Connection:
    return Connection(url, ApiKey(canary), clock or VirtualClock(), TIMEOUTS)


def post(url: str, canary: str = "k") -> SynchronousOperation[Asked, Answered]:
    return SynchronousOperation(CREATE, Asked(prompt="p"), connection(url, canary))


async def test_a_request_goes_out_once_with_the_key_and_without_unset_fields() -> None:
    seen: list[tuple[str | None, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Authorization"), await request.json()))
        return web.json_response({"code": 0, "data": {"task_id": "1"}})

    async with server(handler) as url:
        answer = await post(url).execute()
    assert answer.data == {"task_id": "1"}
    assert seen == [("Bearer k", {"prompt": "p"})]


async def test_a_request_of_another_kind_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        SynchronousOperation(CREATE, Answered(code=0), connection("http://h"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, '{"code":0', errors.OutcomeUnknown),
        (200, "<html>login</html>", errors.OutcomeUnknown),
        (200, "[]", errors.OutcomeUnknown),
        (200, "", errors.OutcomeUnknown),
        (200, '{"code":"0"}', errors.OutcomeUnknown),
        (200, '{"code":0,"data":[1]}', errors.OutcomeUnknown),
        (200, '{"code":1301,"message":"no"}', errors.ContentRefused),
        (429, '{"code":1303,"message":"parallel task over resource pack limit"}', errors.Throttled),
        (429, '{"code":1102,"message":"Account balance not enough"}', errors.AccountRefused),
        (401, '{"code":1002,"message":"api key not found"}', errors.AuthenticationFailed),
        (402, '{"error":{"message":"Payment Required","type":"payment"}}', errors.AccountRefused),
        (404, "<html>404</html>", errors.RequestRefused),
        (502, "<html>502</html>", errors.OutcomeUnknown),
        (500, '{"code":5000,"message":"oops"}', errors.OutcomeUnknown),
    ],
)
async def test_an_answer_that_is_no_success_is_an_error_of_the_tree(
    status: int, body: str, kind: type[errors.ApiError]
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with server(handler) as url:
        with pytest.raises(errors.ApiError) as caught:
            await post(url).execute()
    assert type(caught.value) is kind
    assert "<html>" not in str(caught.value)


async def test_a_redirect_is_not_followed_and_the_key_stays() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with server(handler) as url:
        with pytest.raises(errors.RequestRefused, match="redirect"):
            await post(url).execute()
    assert seen == ["/v1/thing"]


@pytest.mark.parametrize("wait", [5.0])
async def test_a_server_that_never_answers_is_an_unknown_outcome(wait: float) -> None:
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(wait)
        return web.Response()

    async with server(handler) as url:
        with pytest.raises(errors.OutcomeUnknown, match="in time"):
            await post(url).execute()


async def test_a_port_where_nobody_listens_is_never_delivered() -> None:
    with pytest.raises(errors.NeverDelivered):
        await post("http://127.0.0.1:9").execute()


async def test_an_endless_answer_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(40):
            await response.write(b" " * 2**18)
        return response

    async with server(handler) as url:
        with pytest.raises(errors.OutcomeUnknown):
            await post(url).execute()


async def test_no_error_shows_the_key(canary: str) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"code": 1201, "message": "bad"}, status=400)

    async with server(echo) as url:
        for address in (url, "http://127.0.0.1:9", "http://[::1]:9"):
            with pytest.raises(errors.ApiError) as caught:
                await post(address, canary).execute()
            for text in (str(caught.value), repr(caught.value), str(caught.value.__dict__)):
                assert canary not in text


async def test_a_loop_shares_one_session_and_closes_it_with_the_last_user() -> None:
    async with open_session() as one:
        async with open_session() as two:
            assert one is two
        assert not one.closed
    assert one.closed
    assert asyncio.get_running_loop() not in _sessions


def test_each_loop_has_its_own_session() -> None:
    async def use() -> Any:
        async with open_session() as session:
            return session

    assert asyncio.run(use()) is not asyncio.run(use())


# -- polling -------------------------------------------------------------------------------------------


def polling(url: str, clock: VirtualClock, **options: Any) -> PollingOperation[Answered]:
    return PollingOperation(
        QUERY,
        connection(url, clock=clock),
        completed_statuses=["succeed"],
        failed_statuses=["failed"],
        status_extractor=lambda answer: (answer.data or {}).get("task_status"),
        failure_extractor=lambda answer: (answer.data or {}).get("reason", ""),
        schedule=Schedule(10.0),
        **options,
    )


def statuses(*given: str | int | None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    left = list(given)

    async def handler(_request: web.Request) -> web.Response:
        status = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(status, int):
            return web.Response(status=status)
        data = {} if status is None else {"task_status": status, "reason": "too dark"}
        return web.json_response({"code": 0, "data": data})

    return handler


async def test_polling_ends_with_a_completed_status() -> None:
    seen: list[str] = []
    async with server(statuses("submitted", "processing", "SUCCEED")) as url:
        answer = await polling(
            url, VirtualClock(), on_answer=lambda reply: seen.append((reply.data or {})["task_status"])
        ).execute()
    assert answer.data is not None
    assert seen == ["submitted", "processing", "SUCCEED"]


async def test_an_unknown_status_means_not_finished() -> None:
    async with server(statuses("reviewing", "thinking", "succeed")) as url:
        assert (await polling(url, VirtualClock()).execute()).data


async def test_an_answer_without_a_status_is_an_error() -> None:
    async with server(statuses(None)) as url:
        with pytest.raises(errors.ApiError, match="without the task's status"):
            await polling(url, VirtualClock()).execute()


async def test_a_failed_status_is_a_failed_task_with_its_reason() -> None:
    async with server(statuses("failed")) as url:
        with pytest.raises(errors.TaskFailed, match="too dark"):
            await polling(url, VirtualClock()).execute()


async def test_polling_survives_a_bad_stretch_and_tells_of_it() -> None:
    trouble: list[errors.ApiError] = []
    async with server(statuses("submitted", 502, 429, 500, "succeed")) as url:
        await polling(url, VirtualClock(), on_trouble=trouble.append).execute()
    assert [type(error) for error in trouble] == [
        errors.OutcomeUnknown,
        errors.Throttled,
        errors.OutcomeUnknown,
    ]


@pytest.mark.parametrize(("seconds", "said"), [(120.0, "2"), (20.0, "0.33")])
async def test_the_deadline_is_kept_and_named(seconds: float, said: str) -> None:
    clock = VirtualClock()
    async with server(statuses("processing")) as url:
        with pytest.raises(errors.StillRunning, match=rf"within {said} min .*KLING_MAX_WAIT_MINUTES"):
            await polling(url, clock, deadline=seconds, task_id="9").execute()
    assert clock.now - VirtualClock().now <= seconds


async def test_a_newborn_task_may_be_invisible_for_a_while_and_an_old_one_not() -> None:
    async def handler(_request: web.Request) -> web.Response:
        answer = {"code": 1201, "message": "Task not found by id/external id: 1"}
        return web.json_response(answer, status=400)

    for elapsed, patience in ((0.0, 60.0), (1000.0, 0.0)):
        clock = VirtualClock()
        async with server(handler) as url:
            with pytest.raises(errors.NotFound):
                await polling(url, clock, elapsed=elapsed).execute()
        assert clock.now - VirtualClock().now >= patience


@pytest.mark.parametrize(("times", "survives"), [(4, True), (5, False)])
async def test_a_refusal_from_something_on_the_way_is_not_believed_at_once(
    times: int, survives: bool
) -> None:
    async with server(statuses(*[403] * times, "succeed")) as url:
        if survives:
            await polling(url, VirtualClock()).execute()
        else:
            with pytest.raises(errors.AccountRefused):
                await polling(url, VirtualClock()).execute()


async def test_a_refused_read_ends_the_polling() -> None:
    async with server(statuses(401)) as url:
        with pytest.raises(errors.AuthenticationFailed):
            await polling(url, VirtualClock()).execute()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", None),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_of({"Retry-After": header}, 10.0) == seconds


async def test_a_prefix_in_the_base_url_is_kept(tmp_path: Path) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"code": 0})

    async with server(handler) as url:
        await post(url + "/gateway/kling").execute()
    assert seen == ["/gateway/kling/v1/thing"]


async def test_an_error_carries_no_exception_that_holds_the_key(canary: str) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 what 200\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await post(f"http://127.0.0.1:{port}", canary).execute()
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_a_netrc_file_neither_breaks_nor_replaces_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\ndefault login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"code": 0})

    async with server(handler) as url:
        await post(url).execute()
    assert seen == ["Bearer k"]


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return web.json_response({"code": 0})

    async with server(handler) as url:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, url)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        await post("http://kling.invalid").execute()
    assert seen == ["http://kling.invalid/v1/thing"]


async def test_a_body_with_large_pictures_goes_out_whole() -> None:
    seen: list[tuple[int, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append((len(body["prompt"]), request.headers.get("Content-Length")))
        return web.json_response({"code": 0})

    async with server(handler) as url:
        large = Asked(prompt="x" * 20_000_000)
        await SynchronousOperation(CREATE, large, connection(url)).execute()
    assert seen == [(20_000_000, str(20_000_000 + len('{"prompt":""}')))]
