"""What the end of an exchange means for money: every class, status and code falls somewhere."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from multidict import CIMultiDict
from yarl import URL

from kling_takes.apis import errors
from kling_takes.apis.outcomes import (
    CODES,
    STATUSES,
    Outcome,
    error_of_answer,
    error_of_exception,
    of_answer,
    of_exception,
)

KEY = SimpleNamespace(host="h", port=443, ssl=True, is_ssl=True)
REQUEST = aiohttp.RequestInfo(URL("https://h/"), "POST", CIMultiDict(), URL("https://h/"))  # type: ignore[arg-type]

#: Each class of aiohttp's tree that can come out of a request, and what it means for a create.
EXCEPTIONS: list[tuple[BaseException, Outcome]] = [
    (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "no name")), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientProxyConnectionError(KEY, OSError(111, "refused")), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientConnectorSSLError(KEY, OSError(1, "handshake")), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLError("bad")), Outcome.NEVER_DELIVERED),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 443), Outcome.NEVER_DELIVERED),
    (aiohttp.ConnectionTimeoutError("connect"), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientHttpProxyError(REQUEST, (), status=407), Outcome.NEVER_DELIVERED),
    (aiohttp.InvalidURL("http://["), Outcome.NEVER_DELIVERED),
    (aiohttp.ClientOSError(104, "reset while writing"), Outcome.UNKNOWN),
    (aiohttp.ClientConnectionResetError("closing transport"), Outcome.UNKNOWN),
    (aiohttp.ServerDisconnectedError(), Outcome.UNKNOWN),
    (aiohttp.SocketTimeoutError("read"), Outcome.UNKNOWN),
    (aiohttp.ServerTimeoutError("either"), Outcome.UNKNOWN),
    (aiohttp.ClientPayloadError("half"), Outcome.UNKNOWN),
    (aiohttp.ClientResponseError(REQUEST, ()), Outcome.UNKNOWN),
    (aiohttp.ContentTypeError(REQUEST, ()), Outcome.UNKNOWN),
    (aiohttp.ClientConnectionError("any"), Outcome.UNKNOWN),
    (aiohttp.ClientError("any"), Outcome.UNKNOWN),
    (asyncio.TimeoutError(), Outcome.UNKNOWN),
    (asyncio.CancelledError(), Outcome.UNKNOWN),
    (ConnectionResetError(), Outcome.UNKNOWN),
    (BrokenPipeError(), Outcome.UNKNOWN),
    (OSError(5, "I/O"), Outcome.UNKNOWN),
    (RuntimeError("anything else"), Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("error", "outcome"), EXCEPTIONS, ids=lambda value: type(value).__name__)
def test_an_exception_is_never_delivered_only_when_nothing_can_have_left(
    error: BaseException, outcome: Outcome
) -> None:
    assert of_exception(error) is outcome


def test_every_exception_class_of_aiohttp_has_a_meaning() -> None:
    known = {type(error) for error, _ in EXCEPTIONS}
    # Only raised for web sockets, redirects that are never followed, and base classes of those above.
    apart = ("WS", "Redirect", "TooMany", "NonHttp", "InvalidUrl", "Unix", "SSLError", "ServerConnection")
    for name, kind in inspect.getmembers(client_exceptions, inspect.isclass):
        if issubclass(kind, aiohttp.ClientError) and not any(part in name for part in apart):
            # One that aiohttp adds later is UNKNOWN by the rule, which is the class that costs nothing.
            assert kind in known or of_exception(kind.__new__(kind)) is Outcome.UNKNOWN, name


#: HTTP status, business code, what a create came to. Source: Kling's error page, 2026-09-20.
ANSWERS: list[tuple[int, int | None, Outcome]] = [
    (200, 0, Outcome.ANSWERED),
    (201, 0, Outcome.ANSWERED),
    (200, None, Outcome.UNKNOWN),
    (204, None, Outcome.UNKNOWN),
    (200, 1303, Outcome.PACED),
    (200, 1201, Outcome.REFUSED),
    (200, 9999, Outcome.UNKNOWN),
    (400, 9999, Outcome.REFUSED),
    (429, 9999, Outcome.PACED),
    (502, 9999, Outcome.UNKNOWN),
    (500, 1201, Outcome.REFUSED),
    (500, 0, Outcome.UNKNOWN),
    (301, None, Outcome.REFUSED),
    (302, None, Outcome.REFUSED),
    (307, None, Outcome.REFUSED),
    (400, None, Outcome.REFUSED),
    (400, 0, Outcome.REFUSED),
    (401, None, Outcome.REFUSED),
    (402, None, Outcome.REFUSED),
    (403, None, Outcome.REFUSED),
    (404, None, Outcome.REFUSED),
    (405, None, Outcome.REFUSED),
    (408, None, Outcome.UNKNOWN),
    (409, None, Outcome.UNKNOWN),
    (413, None, Outcome.REFUSED),
    (422, None, Outcome.REFUSED),
    (429, None, Outcome.PACED),
    (499, None, Outcome.UNKNOWN),
    (500, None, Outcome.UNKNOWN),
    (502, None, Outcome.UNKNOWN),
    (503, None, Outcome.UNKNOWN),
    (504, None, Outcome.UNKNOWN),
    (520, None, Outcome.UNKNOWN),
    (100, None, Outcome.UNKNOWN),
    (999, None, Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("status", "code", "outcome"), ANSWERS)
def test_an_answer_has_its_class(status: int, code: int | None, outcome: Outcome) -> None:
    assert of_answer(status, code).outcome is outcome


#: code -> outcome, by hand from the official table, so that a slip in CODES shows.
OFFICIAL = {
    **dict.fromkeys([1000, 1001, 1002, 1003, 1004, 1100, 1101, 1102, 1103], Outcome.REFUSED),
    **dict.fromkeys([1200, 1201, 1202, 1203, 1300, 1301, 1304], Outcome.REFUSED),
    **dict.fromkeys([1302, 1303], Outcome.PACED),
    **dict.fromkeys([5000, 5001, 5002], Outcome.UNKNOWN),
}


def test_every_documented_code_has_its_class_and_a_sentence() -> None:
    assert {code: meaning.outcome for code, meaning in CODES.items()} == OFFICIAL
    for meaning in CODES.values():
        assert meaning.sentence[0].isupper()
        assert meaning.sentence.endswith(".")


def test_no_sentence_speaks_of_money_which_depends_on_what_else_was_sent() -> None:
    for code, meaning in (*CODES.items(), *STATUSES.items()):
        assert not any(word in meaning.sentence for word in (" paid", " bought", " made")), code


def test_every_refusal_says_what_to_do() -> None:
    remedies = {"Check", "Change", "Choose", "Set", "Buy", "Top", "Look", "Add", "Use", "try"}
    for code, meaning in (*CODES.items(), *STATUSES.items()):
        if meaning.outcome is Outcome.REFUSED:
            assert remedies & set(meaning.sentence.split()), code


def test_no_answer_is_left_without_a_class_and_only_a_2xx_with_code_0_is_a_success() -> None:
    for status in range(100, 600):
        for code in (None, 0, 1, 1201, 1303, 5000, 12345):
            outcome = of_answer(status, code).outcome
            assert (outcome is Outcome.ANSWERED) == (200 <= status < 300 and code == 0), (status, code)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("External_task_id kt-1 already exists", errors.AlreadyExists),
        ("Task not found by id/external id: kt-1", errors.NotFound),
        ("model is not supported", errors.RequestRefused),
        ("Element id not found: 315187972322559", errors.RequestRefused),
        ("", errors.RequestRefused),
    ],
)
def test_code_1201_is_told_apart_by_its_words(message: str, kind: type[errors.ApiError]) -> None:
    error = error_of_answer(400, 1201, message, request_id="r-1")
    assert type(error) is kind
    assert error.request_id == "r-1"


def test_an_error_quotes_kling_briefly_and_keeps_the_body_out_of_its_text() -> None:
    error: Any = error_of_answer(400, 1201, "x" * 5000, body="<html>secret</html>")
    assert len(str(error)) < 600
    assert "secret" not in str(error)
    assert error.body == "<html>secret</html>"


def test_a_paced_answer_carries_the_wait() -> None:
    error = error_of_answer(429, 1303, "parallel task over resource pack limit", retry_after=7.0)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 7.0


def test_the_text_of_a_network_error_names_the_host_and_not_the_address() -> None:
    error = error_of_exception(aiohttp.InvalidURL("https://h/?token=secret"), "api.example")
    assert "api.example" in str(error)
    assert "secret" not in str(error)
