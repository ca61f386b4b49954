"""Names are looked up in threads that nothing waits for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from yarl import URL

from kling_takes.apis import errors
from kling_takes.apis.client import Connection, SynchronousOperation
from kling_takes.apis.credentials import ApiKey
from kling_takes.apis.kling.endpoint import ApiEndpoint, HttpMethod
from kling_takes.apis.kling.responses import Envelope
from kling_takes.apis.transport import proxy_for
from kling_takes.apis.transport.dns import Resolver
from kling_takes.apis.transport.threads import in_own_thread

#: seconds that a name server does not answer
SILENCE = 5.0


def ask(host: str) -> SynchronousOperation[Any, Envelope]:
    endpoint: ApiEndpoint[Any, Envelope] = ApiEndpoint("/x", HttpMethod.GET, None, Envelope)
    return SynchronousOperation(endpoint, None, Connection(f"https://{host}", ApiKey("key")))


@pytest.fixture
def silence() -> Iterator[Callable[..., None]]:
    """A call that does not come back before the test's end; its threads are over then."""
    answer = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        answer.wait(SILENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    before = set(threading.enumerate())
    yield hang
    answer.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(SILENCE)
        assert not thread.is_alive()


def test_a_loop_ends_at_once_while_a_name_server_is_silent(
    silence: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", silence)

    async def prompt() -> None:
        run = asyncio.ensure_future(ask("kling.invalid").execute())
        await asyncio.sleep(0.05)
        assert not run.done()
        run.cancel()
        await asyncio.wait({run})

    begun = time.monotonic()
    asyncio.run(prompt())
    assert time.monotonic() - begun < 1.0


async def test_the_question_whether_a_host_goes_past_the_proxy_does_not_hold_up_the_loop(
    silence: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(urllib.request, "proxy_bypass", silence)
    begun = time.monotonic()
    run = asyncio.ensure_future(proxy_for(URL("https://kling.invalid")))
    await asyncio.sleep(0.02)
    assert not run.done()
    run.cancel()
    await asyncio.wait({run})
    assert time.monotonic() - begun < 1.0


async def test_the_addresses_are_the_systems_own() -> None:
    found = await Resolver().resolve("localhost", 80, socket.AF_UNSPEC)
    known = socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    assert {(entry["host"], entry["port"]) for entry in found} <= {info[4][:2] for info in known}
    assert found


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_a_name_that_can_not_be_one_is_a_host_that_is_not_reached(host: str) -> None:
    with pytest.raises(errors.NeverDelivered):
        await ask(host).execute()


async def test_what_runs_beside_the_loop_gives_its_result_or_its_error() -> None:
    assert await in_own_thread(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ValueError, match="seven"):
        await in_own_thread(lambda: int("seven"))
