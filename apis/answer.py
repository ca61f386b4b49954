"""What the bytes of an answer say before anybody knows what they are about. Pure.

Everything that a server says passes the ``Redactor`` here, and once only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from .redaction import Redactor

#: characters of a body that are kept beside an error
KEPT_OF_BODY = 2000
#: characters of an id that a server gives to a request
KEPT_OF_ID = 100
#: commas in an answer, so about as many values; 500 lines of a bill, the most that Kling sends, have some
#: 10,000. To take more of them apart would hold up everybody else in the loop, from whatever thread.
MOST_COMMAS = 20_000


@dataclass(frozen=True)
class Envelope:
    """What is around an answer: Kling's form, or that of the Comfy.org proxy's errors."""

    code: int | None = None
    message: str = ""
    request_id: str | None = None
    #: the type that Comfy.org gives an error
    kind: str = ""


def parse_json(raw: bytes, redactor: Redactor) -> Any:
    """Return the JSON value in ``raw``; None where it holds none, or one too large to be Kling's."""
    if raw.count(b",") > MOST_COMMAS:
        return None
    try:
        return redactor.value(json.loads(raw))
    except (ValueError, RecursionError):
        return None


def body_shown(raw: bytes, redactor: Redactor) -> str:
    """Return the beginning of a body as text, of one in UTF-16 too."""
    return redactor.text(raw[:KEPT_OF_BODY].replace(b"\0", b"").decode("utf-8", "replace"))


def envelope_of(payload: object) -> Envelope:
    """Return code, message and request id of an answer."""
    if not isinstance(payload, dict):
        return Envelope()
    code, message, request_id = (payload.get(name) for name in ("code", "message", "request_id"))
    error = payload.get("error")
    kind: Any = ""
    if isinstance(error, dict):
        message = message if isinstance(message, str) else error.get("message")
        kind = error.get("type")
    elif isinstance(error, str) and not isinstance(message, str):
        message = error
    return Envelope(
        code if isinstance(code, int) and not isinstance(code, bool) else None,
        message if isinstance(message, str) else "",
        request_id[:KEPT_OF_ID] if isinstance(request_id, str) else None,
        kind if isinstance(kind, str) else "",
    )


def retry_after_of(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or a date; None where unusable."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds < float("inf") else None
