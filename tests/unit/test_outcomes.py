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
from kling_takes.apis.errors import NeverDelivered, OutcomeUnknown, Refused, Throttled
from kling_takes.apis.outcomes import (
    CODES,
    COMFY_ORG,
    COMFY_ORG_CODES,
    STATUSES,
    Meaning,
    error_of_answer,
    error_of_exception,
    of_answer,
    of_exception,
)

Worth = type[errors.ApiError]

KEY = SimpleNamespace(host="h", port=443, ssl=True, is_ssl=True)
REQUEST = aiohttp.RequestInfo(URL("https://h/"), "POST", CIMultiDict(), URL("https://h/"))  # type: ignore[arg-type]


def worth_of(meaning: Meaning | None) -> Worth | None:
    """The one of four classes that an answer is worth for a create; None where it is a success."""
    if meaning is None:
        return None
    (worth,) = (
        kind
        for kind in (NeverDelivered, Refused, Throttled, OutcomeUnknown)
        if issubclass(meaning.error, kind)
    )
    return worth


#: Each class of aiohttp's tree that can come out of a request, and what it means for a create.
EXCEPTIONS: list[tuple[BaseException, Worth]] = [
    (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), NeverDelivered),
    (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "no name")), NeverDelivered),
    (aiohttp.ClientProxyConnectionError(KEY, OSError(111, "refused")), NeverDelivered),
    (aiohttp.ClientConnectorSSLError(KEY, OSError(1, "handshake")), NeverDelivered),
    (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLError("bad")), NeverDelivered),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 443), NeverDelivered),
    (aiohttp.ConnectionTimeoutError("connect"), NeverDelivered),
    (aiohttp.ClientHttpProxyError(REQUEST, (), status=407), NeverDelivered),
    (aiohttp.InvalidURL("http://["), NeverDelivered),
    (aiohttp.ClientOSError(104, "reset while writing"), OutcomeUnknown),
    (aiohttp.ClientConnectionResetError("closing transport"), OutcomeUnknown),
    (aiohttp.ServerDisconnectedError(), OutcomeUnknown),
    (aiohttp.SocketTimeoutError("read"), OutcomeUnknown),
    (aiohttp.ServerTimeoutError("either"), OutcomeUnknown),
    (aiohttp.ClientPayloadError("half"), OutcomeUnknown),
    (aiohttp.ClientResponseError(REQUEST, ()), OutcomeUnknown),
    (aiohttp.ContentTypeError(REQUEST, ()), OutcomeUnknown),
    (aiohttp.ClientConnectionError("any"), OutcomeUnknown),
    (aiohttp.ClientError("any"), OutcomeUnknown),
    (asyncio.TimeoutError(), OutcomeUnknown),
    (asyncio.CancelledError(), OutcomeUnknown),
    (ConnectionResetError(), OutcomeUnknown),
    (BrokenPipeError(), OutcomeUnknown),
    (OSError(5, "I/O"), OutcomeUnknown),
    (RuntimeError("anything else"), OutcomeUnknown),
]


@pytest.mark.parametrize(("error", "worth"), EXCEPTIONS, ids=lambda value: type(value).__name__)
def test_an_exception_is_never_delivered_only_when_nothing_can_have_left(
    error: BaseException, worth: Worth
) -> None:
    assert of_exception(error) is worth


def test_every_exception_class_of_aiohttp_has_a_meaning() -> None:
    known = {type(error) for error, _ in EXCEPTIONS}
    # Only raised for web sockets, redirects that are never followed, and base classes of those above.
    apart = ("WS", "Redirect", "TooMany", "NonHttp", "InvalidUrl", "Unix", "SSLError", "ServerConnection")
    for name, kind in inspect.getmembers(client_exceptions, inspect.isclass):
        if issubclass(kind, aiohttp.ClientError) and not any(part in name for part in apart):
            # One that aiohttp adds later is UNKNOWN by the rule, which is the class that costs nothing.
            assert kind in known or of_exception(kind.__new__(kind)) is OutcomeUnknown, name


#: HTTP status, business code, what a create came to. Source: Kling's error page, 2026-09-20.
ANSWERS: list[tuple[int, int | None, Worth | None]] = [
    (200, 0, None),
    (201, 0, None),
    (200, None, OutcomeUnknown),
    (204, None, OutcomeUnknown),
    (200, 1303, Throttled),
    (200, 1201, Refused),
    (200, 9999, OutcomeUnknown),
    (400, 9999, Refused),
    (429, 9999, Throttled),
    (502, 9999, OutcomeUnknown),
    (500, 1201, Refused),
    (500, 0, OutcomeUnknown),
    (301, None, Refused),
    (302, None, Refused),
    (307, None, Refused),
    (400, None, Refused),
    (400, 0, Refused),
    (401, None, Refused),
    (402, None, Refused),
    (403, None, Refused),
    (404, None, Refused),
    (405, None, Refused),
    (408, None, OutcomeUnknown),
    (409, None, OutcomeUnknown),
    (413, None, Refused),
    (422, None, Refused),
    (429, None, Throttled),
    (499, None, OutcomeUnknown),
    (500, None, OutcomeUnknown),
    (502, None, OutcomeUnknown),
    (503, None, OutcomeUnknown),
    (504, None, OutcomeUnknown),
    (520, None, OutcomeUnknown),
    (100, None, OutcomeUnknown),
    (999, None, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "code", "worth"), ANSWERS)
def test_an_answer_has_its_class(status: int, code: int | None, worth: Worth | None) -> None:
    assert worth_of(of_answer(status, code)) is worth


#: code -> class, by hand from the official table, so that a slip in CODES shows.
OFFICIAL = {
    **dict.fromkeys([1000, 1001, 1002, 1003, 1004, 1100, 1101, 1102, 1103], Refused),
    **dict.fromkeys([1200, 1201, 1202, 1203, 1300, 1301, 1304], Refused),
    **dict.fromkeys([1302, 1303], Throttled),
    **dict.fromkeys([5000, 5001, 5002], OutcomeUnknown),
}


def test_every_documented_code_has_its_class_and_a_sentence() -> None:
    assert {code: worth_of(meaning) for code, meaning in CODES.items()} == OFFICIAL
    for meaning in CODES.values():
        assert meaning.sentence[0].isupper()
        assert meaning.sentence.endswith(".")


MEANINGS = [pair for table in (CODES, STATUSES, COMFY_ORG, COMFY_ORG_CODES) for pair in table.items()]


def test_no_sentence_speaks_of_money_which_depends_on_what_else_was_sent() -> None:
    for code, meaning in MEANINGS:
        assert not any(word in meaning.sentence for word in (" paid", " bought", " made")), code


def test_every_refusal_says_what_to_do() -> None:
    remedies = {
        "Check",
        "Change",
        "Choose",
        "Set",
        "Buy",
        "Top",
        "Look",
        "Add",
        "Use",
        "Sign",
        "Queue",
        "try",
    }
    for code, meaning in MEANINGS:
        if worth_of(meaning) is Refused:
            assert remedies & set(meaning.sentence.split()), code


def test_no_answer_is_left_without_a_class_and_only_a_2xx_with_code_0_is_a_success() -> None:
    for status in range(100, 600):
        for code in (None, 0, 1, 1201, 1303, 5000, 12345):
            worth = worth_of(of_answer(status, code))
            assert (worth is None) == (200 <= status < 300 and code == 0), (status, code)


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
    error: Any = error_of_answer(400, 1201, "x" * 5000)
    assert len(str(error)) < 600
    error.body = "<html>secret</html>"
    assert "secret" not in str(error)


def test_a_paced_answer_carries_the_wait() -> None:
    error = error_of_answer(429, 1303, "parallel task over resource pack limit", retry_after=7.0)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 7.0


def test_the_text_of_a_network_error_names_the_host_and_not_the_address() -> None:
    error = error_of_exception(aiohttp.InvalidURL("https://h/?token=secret"), "api.example")
    assert "api.example" in str(error)
    assert "secret" not in str(error)


def of_comfy_org(status: int, code: int | None = None, message: str = "no", kind: str = "") -> Any:
    return error_of_answer(status, code, message, kind=kind, by_comfy_org=True)


@pytest.mark.parametrize(
    ("message", "kind", "error"),
    [
        ("This Idempotency-Key has been used before", "", errors.AlreadyExists),
        ("used before", "idempotency_conflict", errors.AlreadyExists),
        ("There is a problem with the account", "account_problem", errors.AccountRefused),
        ("", "", errors.AccountRefused),
    ],
)
def test_a_conflict_at_comfy_org_is_about_the_account_unless_it_names_the_key(
    message: str, kind: str, error: type[errors.ApiError]
) -> None:
    assert type(of_comfy_org(409, None, message, kind)) is error
    assert type(error_of_answer(409, None, message, kind=kind)) is OutcomeUnknown


@pytest.mark.parametrize("code", [None, 0, 401])
def test_a_code_that_is_none_of_klings_is_comfy_orgs_own_answer(code: int | None) -> None:
    error = of_comfy_org(401, code)
    assert type(error) is errors.AuthenticationFailed
    assert "Sign in to Comfy.org" in str(error)
    assert "Comfy.org's words: “no”" in str(error)
    assert "code 401" not in str(error)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 429])
def test_comfy_orgs_own_answers_speak_of_comfy_org(status: int) -> None:
    said = str(of_comfy_org(status))
    assert "Comfy.org" in said
    assert "KLING_" not in said
    assert worth_of(of_answer(status, None)) in (worth_of(COMFY_ORG[status]), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 1201), (400, 1301), (429, 1302), (500, 5000), (200, 0), (404, 1203), (429, 1303)],
)
def test_kling_is_understood_through_comfy_org_as_it_is_without(status: int, code: int) -> None:
    through, direct = of_comfy_org(status, code), error_of_answer(status, code, "no")
    assert type(through) is type(direct)
    if direct is not None:
        assert through.code == code
        assert "Kling's words: “no”" in str(through)


def test_kling_has_no_slot_for_comfy_org() -> None:
    error = of_comfy_org(429, 1303)
    assert isinstance(error, Throttled)
    assert "Your Kling account" not in str(error)
