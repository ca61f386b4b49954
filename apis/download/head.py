"""What the head and the first bytes of an answer mean for the bytes on the disk: decisions, no I/O.

Anything that does not fit the bytes on the disk exactly leads to a fresh start, never to a mixed file:
a video that plays wrong costs more than one that is fetched twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .kinds import FileKind

_EXPIRED = frozenset({401, 403, 404, 410})  #: what a link whose signature or file ran out answers
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{\[]")  #: how a web page or a JSON message begins


@dataclass(frozen=True)
class Answer:
    """What the head of an answer means for the bytes that are on the disk."""

    kind: Literal["begin", "go_on", "complete", "expired", "retry", "discard", "refuse"]
    reason: str = ""
    total: int | None = None
    validator: str | None = None
    status: int | None = None


def read_head(
    status: int,
    headers: Mapping[str, str],
    *,
    offset: int,
    validator: str | None,
    known_total: int | None,
    kind: FileKind,
) -> Answer:
    """Decide what an answer to a request for the bytes from ``offset`` on means.

    With an ``offset`` above 0 the request had ``Range`` and ``If-Range: validator``. Anything that does not
    fit what is on the disk to the byte leads to a fresh start ("discard"), never to a mixed file.
    """
    if status in _EXPIRED:
        return Answer("expired", f"the link answered HTTP {status}", status=status)
    if status in _RETRIED:
        return Answer("retry", f"the server answered HTTP {status}", status=status)
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    start, end, whole = found.groups() if found else (None, None, None)
    total = int(whole) if whole and whole != "*" else None
    if status == 416 and offset:
        if total is not None and total == offset == known_total:
            return Answer("complete", total=total)
        return Answer("discard", "the server has no bytes beyond those that came")
    if status not in (200, 206):
        return Answer("refuse", f"the server answered HTTP {status}", status=status)
    if kind.wrong_types.match(headers.get("Content-Type", "")):
        return Answer("refuse", _elsewhere(kind))
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return Answer("refuse", f"the server packed the {kind.noun} in a way nobody asked for")
    length = headers.get("Content-Length", "").strip()
    size = int(length) if _LENGTH.fullmatch(length) else None
    if status == 206:
        if not offset or start is None or int(start) != offset:
            return Answer("discard", f"the server sent another part of the {kind.noun} than was asked for")
        if total is None or total != (known_total or total) or int(end or 0) >= total:
            return Answer("discard", f"the {kind.noun} changed at the server")
        if strong_validator(headers) not in (None, validator):
            return Answer("discard", f"the {kind.noun} changed at the server")
        answer = Answer("go_on", total=total, validator=validator)
    else:
        if size is None and headers.get("Transfer-Encoding", "").lower() != "chunked":
            return Answer("retry", f"the server did not say how {kind.extent} the {kind.noun} is")
        answer = Answer("begin", total=size, validator=strong_validator(headers))
    if answer.total is not None and answer.total > kind.max_bytes:
        return too_large(kind)
    return answer


def wrong_beginning(beginning: bytes, kind: FileKind) -> str | None:
    """Say why a file with these first bytes is not of the kind, or None if it may be."""
    if _PAGE.match(beginning):
        return _elsewhere(kind)
    return None if kind.signature.match(beginning) else f"the link leads to a file that is not {kind.formats}"


def too_large(kind: FileKind) -> Answer:
    """Return the answer for a file above the kind's cap."""
    return Answer("refuse", f"the {kind.noun} is larger than {kind.max_bytes >> 20} MB")


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return what ``If-Range`` may name: a strong ETag, else Last-Modified; None where there is neither."""
    tag = headers.get("ETag", "")
    if (
        2 < len(tag) <= 1024
        and tag.startswith('"')
        and tag.endswith('"')
        and tag.isascii()
        and tag.isprintable()
    ):
        return tag
    date = headers.get("Last-Modified", "")
    return date if 0 < len(date) <= 64 and date.isascii() and date.isprintable() else None


def _elsewhere(kind: FileKind) -> str:
    return f"the link leads to a web page or a message, not to {kind.a_noun}"
