"""What the end of one exchange means for money: a pure table, no I/O.

A create that failed is worth exactly one of four classes of ``errors``:

``NeverDelivered``  Kling never saw it. The same request may go out again.
``Refused``         Kling said no and made nothing. The user has something to change.
``Throttled``       Kling said not now and made nothing. Wait, then the same request again.
``OutcomeUnknown``  It may have been carried out. A blind resend is a second charge: look it up first.

Whatever the tables do not name is ``OutcomeUnknown``, because that is the only class that can't cost money.
The sentences say what happened and what to do, and nothing of money: the same refusal may come to a create
that was sent before, or to a look at a task that is paid for.
Sources: Kling's error code page (2026-09-20); recorded answers of the live API (2026-05 to 2026-09);
aiohttp's exception tree, 3.11 to 3.14.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp

from . import errors
from .kling.responses import is_already_exists, is_not_found

#: Raised before the first byte of a request is written: resolving, connecting, TLS, the proxy's CONNECT.
#: ``ClientConnectorError`` is a ``ClientOSError``, and ``ClientOSError`` itself comes from a connection
#: that broke in the middle, so only the more special class may stand here.
BEFORE_SENDING: tuple[type[BaseException], ...] = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    aiohttp.ServerFingerprintMismatch,
)


def of_exception(error: BaseException) -> type[errors.ApiError]:
    """Return the class of an exception that aiohttp raised instead of an answer."""
    return errors.NeverDelivered if isinstance(error, BEFORE_SENDING) else errors.OutcomeUnknown


@dataclass(frozen=True)
class Meaning:
    """What an answer says: the class of its error, and the sentence for the user."""

    error: type[errors.ApiError]
    sentence: str


_KEY = "Check KLING_API_KEY (or KLING_ACCESS_KEY and KLING_SECRET_KEY, or the pack's credentials.json)"

#: what is below it is no code of Kling's: Comfy.org may repeat its HTTP status
LOWEST_CODE = 1000
#: the code for more tasks at once than the account may run
NO_FREE_SLOT = 1303

#: Every business code that Kling documents.
CODES: dict[int, Meaning] = {
    1000: Meaning(
        errors.AuthenticationFailed,
        f"Kling does not accept the key. {_KEY}.",
    ),
    1001: Meaning(
        errors.AuthenticationFailed,
        f"Kling received no key. {_KEY}.",
    ),
    1002: Meaning(
        errors.AuthenticationFailed,
        f"Kling does not know this key. {_KEY}, and that KLING_REGION fits it: a key of the global console "
        "works with global only, one of the Chinese console with china only.",
    ),
    1003: Meaning(
        errors.AuthenticationFailed,
        "Kling says the signed key is not valid yet: the clock of this computer is probably ahead. "
        "Set the clock, then queue again.",
    ),
    1004: Meaning(
        errors.AuthenticationFailed,
        "Kling says the signed key has expired: the clock of this computer is probably behind. "
        "Set the clock, then queue again.",
    ),
    1100: Meaning(
        errors.AccountRefused,
        "Kling reports a problem with your account. Look into the Kling console.",
    ),
    1101: Meaning(
        errors.AccountRefused,
        "Your Kling account is in arrears. Top it up in the Kling console, then queue again.",
    ),
    1102: Meaning(
        errors.AccountRefused,
        "Your Kling account has no API units left, or they have expired. Buy a resource pack in the Kling "
        "console (credits of the Kling app do not count for the API), then queue again.",
    ),
    1103: Meaning(
        errors.AccountRefused,
        "Your Kling account has no access to this model or function. Choose another model_name, or get "
        "access in the Kling console.",
    ),
    1200: Meaning(
        errors.RequestRefused,
        "Kling refused the request. Change what its own words name.",
    ),
    1201: Meaning(
        errors.RequestRefused,
        "Kling refused an input. Change the one that its own words name.",
    ),
    1202: Meaning(
        errors.RequestRefused,
        "This address does not offer that function of Kling. Check KLING_API_BASE, or choose another "
        "model_name.",
    ),
    1203: Meaning(
        errors.RequestRefused,
        "Kling does not have what was asked for, for example a retired model: try another model_name.",
    ),
    1300: Meaning(
        errors.ContentRefused,
        "Kling's platform policy refused this input. Change the prompt or the picture.",
    ),
    1301: Meaning(
        errors.ContentRefused,
        "Kling's content check refused this input. Change the prompt or the picture.",
    ),
    1302: Meaning(errors.Throttled, "Kling asks to send requests more slowly."),
    NO_FREE_SLOT: Meaning(
        errors.Throttled, "Your Kling account already runs as many tasks as it may at once."
    ),
    1304: Meaning(
        errors.AccountRefused,
        "Kling refused the address of this computer: your account has an IP whitelist. Add the address in "
        "the Kling console.",
    ),
    5000: Meaning(errors.OutcomeUnknown, "Kling reports an internal error."),
    5001: Meaning(errors.OutcomeUnknown, "Kling is under maintenance."),
    5002: Meaning(errors.OutcomeUnknown, "Kling is too busy to answer in time."),
}

#: HTTP statuses that came without a business code: a gateway, a firewall, the Comfy.org proxy.
STATUSES: dict[int, Meaning] = {
    401: Meaning(errors.AuthenticationFailed, f"The API does not accept the key. {_KEY}."),
    402: Meaning(
        errors.AccountRefused,
        "The account has no credits left. Add credits, then queue again.",
    ),
    403: Meaning(
        errors.AccountRefused,
        "The API, or something on the way to it, refuses access. Check the proxy or firewall of this network "
        "and KLING_API_BASE.",
    ),
    404: Meaning(
        errors.RequestRefused,
        "This address is not Kling's API. Check KLING_API_BASE and KLING_REGION.",
    ),
    408: Meaning(errors.OutcomeUnknown, "The API gave up waiting for the request."),
    409: Meaning(errors.OutcomeUnknown, "The API answered with a conflict."),
    413: Meaning(
        errors.RequestRefused,
        "The request is too large for the API. Use a smaller picture.",
    ),
    429: Meaning(errors.Throttled, "The API asks to send requests more slowly."),
    499: Meaning(errors.OutcomeUnknown, "The connection was cut before the answer."),
}


_SUPPORT = "ask support@comfy.org"

#: HTTP statuses of Comfy.org's own.
COMFY_ORG: dict[int, Meaning] = {
    401: Meaning(
        errors.AuthenticationFailed,
        "Comfy.org does not accept the sign-in. Sign in to Comfy.org in ComfyUI again, then queue again.",
    ),
    402: Meaning(
        errors.AccountRefused,
        "Your Comfy.org account has no credits left. Add credits at Comfy.org, then queue again.",
    ),
    403: Meaning(
        errors.AccountRefused,
        f"Comfy.org refuses access to your Comfy.org account. Look into it, or {_SUPPORT}.",
    ),
    404: Meaning(
        errors.RequestRefused,
        "Comfy.org does not offer this function of Kling. Choose another model_name, or check ComfyUI's "
        "option --comfy-api-base.",
    ),
    409: Meaning(
        errors.AccountRefused, f"There is a problem with your Comfy.org account. Look into it, or {_SUPPORT}."
    ),
    429: Meaning(
        errors.Throttled, "Your Comfy.org account already runs as many tasks as it may, or sends too fast."
    ),
}
_NOT_THE_USERS = Meaning(
    errors.AccountRefused,
    "Kling refused Comfy.org's own account, which is nothing that you can change. Queue again later, or "
    f"{_SUPPORT}.",
)
#: Codes of Kling's whose sentence in ``CODES`` speaks to the owner of the account, which is Comfy.org here.
COMFY_ORG_CODES: dict[int, Meaning] = {
    **dict.fromkeys((1000, 1001, 1002, 1003, 1004, 1100, 1101, 1102, 1103, 1304), _NOT_THE_USERS),
    1202: COMFY_ORG[404],
    NO_FREE_SLOT: Meaning(
        errors.Throttled, "Comfy.org already runs as many tasks at Kling as it may at once."
    ),
}


def of_comfy_org(status: int, code: int | None, said: str) -> Meaning | None:
    """Return what an answer of Comfy.org says; None where it is Kling that speaks through it.

    ``said`` is its error's type and message. A conflict is about the account, unless it says that the
    idempotency key has been used: then the create was carried out before.
    """
    if code:
        return COMFY_ORG_CODES.get(code)
    if status == 409 and "idempoten" in said.lower():
        return Meaning(errors.AlreadyExists, "Comfy.org already has a task under this idempotency key.")
    return COMFY_ORG.get(status)


def of_answer(status: int, code: int | None) -> Meaning | None:
    """Return the meaning of an answer: its business code first, then its HTTP status; None for a success.

    ``code`` is None where the body had none. A non-zero code counts whatever the status, because some
    refusals come as HTTP 200. Only HTTP 2xx with code 0 is a success.
    """
    if code is not None and code != 0:
        if code in CODES:
            return CODES[code]
        if 400 <= status < 500 and status not in STATUSES:
            return Meaning(errors.Refused, "Kling refused the request.")
        if 200 <= status < 300:
            return Meaning(errors.OutcomeUnknown, "Kling answered with an unknown code.")
    if 200 <= status < 300:
        if code == 0:
            return None
        return Meaning(errors.OutcomeUnknown, "The API's answer could not be read.")
    if status in STATUSES:
        return STATUSES[status]
    if 300 <= status < 400:
        return Meaning(
            errors.RequestRefused,
            "The address redirects elsewhere, and a key is never sent along a redirect. Check KLING_API_BASE "
            "and KLING_REGION, and that no login page stands between.",
        )
    if 400 <= status < 500:
        return Meaning(errors.Refused, "The API refused the request.")
    return Meaning(errors.OutcomeUnknown, "The API, or something on the way to it, failed.")


def is_passing(error: errors.ApiError) -> bool:
    """Return whether a read that ended so is worth repeating.

    A refusal without a code is not Kling's: something on the way made it, and may let the next one through.
    """
    if isinstance(error, errors.Refused):
        return error.code is None and error.http_status != 401
    return isinstance(error, errors.NeverDelivered | errors.Throttled | errors.OutcomeUnknown)


def error_of_answer(
    status: int,
    code: int | None,
    message: str,
    *,
    request_id: str | None = None,
    retry_after: float | None = None,
    kind: str = "",
    by_comfy_org: bool = False,
) -> errors.ApiError | None:
    """Return the error that an answer stands for, or None where it is a success.

    ``message`` is the server's own; it is quoted, cut to 300 characters. ``kind`` is the type that Comfy.org
    gives its errors.
    """
    speaker, meaning = "Kling", None
    if by_comfy_org:
        code = code if code == 0 or (code or 0) >= LOWEST_CODE else None
        speaker = speaker if code else "Comfy.org"
        meaning = of_comfy_org(status, code, f"{kind} {message}")
    meaning = meaning or of_answer(status, code)
    if meaning is None:
        return None
    error_class, sentence = meaning.error, meaning.sentence
    if code is not None and is_already_exists(code, message):
        error_class, sentence = errors.AlreadyExists, "Kling already has a task under this id."
    elif code is not None and is_not_found(code, message):
        error_class, sentence = errors.NotFound, "Kling has no task under this id."
    said = " ".join(message.split())[:300]
    if said:
        sentence = f"{sentence} {speaker}'s words: “{said}”."
    elif code is None:
        sentence = f"{sentence} (HTTP {status})"
    error = error_class(sentence, code=code or None, request_id=request_id, http_status=status)
    if isinstance(error, errors.Throttled):
        error.retry_after = retry_after
    return error


def error_of_exception(error: BaseException, host: str) -> errors.ApiError:
    """Return the error that a failed exchange with ``host`` stands for, without repeating a secret."""
    kind = type(error).__name__
    if of_exception(error) is errors.NeverDelivered:
        return errors.NeverDelivered(
            f"{host} could not be reached ({kind}). Check the network, the proxy and, where you have set it, "
            "KLING_API_BASE; then queue again."
        )
    if isinstance(error, asyncio.TimeoutError):
        return errors.OutcomeUnknown(f"{host} did not answer in time ({kind}).")
    return errors.OutcomeUnknown(f"The connection to {host} broke before the answer was whole ({kind}).")
