"""What a link to a video may look like, and what the head of its answer means: decisions, no I/O.

Anything that does not fit the bytes on the disk exactly leads to a fresh start, never to a mixed file:
a video that plays wrong costs more than one that is fetched twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from yarl import URL

from .settings import is_loopback

NOT_A_VIDEO = "the link leads to a web page or a message, not to a video"

_EXPIRED = frozenset({401, 403, 404, 410})  #: what a link whose signature or file ran out answers
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_TEXT_TYPES = re.compile(r"text/|image/|application/([a-z.-]+\+)?(json|xml)|application/xhtml", re.IGNORECASE)
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_PLAIN_ID = re.compile(r"[0-9a-z][0-9a-z_-]{0,99}")
_SUFFIX = re.compile(r"\.[0-9a-z]{1,8}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")


@dataclass(frozen=True)
class Answer:
    """What the head of an answer means for the bytes that are on the disk."""

    kind: Literal["begin", "go_on", "complete", "expired", "retry", "discard", "refuse"]
    reason: str = ""
    total: int | None = None
    validator: str | None = None
    status: int | None = None


def safe_name(task_id: str, suffix: str = ".mp4") -> str:
    """Give the file name for a task: its id where that is a harmless name on every system, or else a hash.

    An odd id must not cost the user a paid video, so it is replaced and not refused. Upper case counts as
    odd, because two ids may differ in nothing else and not every disk tells them apart. Raises ValueError
    for no id at all and for a suffix that is none.
    """
    if not task_id or not _SUFFIX.fullmatch(suffix):
        raise ValueError("a file name needs a task id and a suffix such as .mp4")
    if _PLAIN_ID.fullmatch(task_id) and not _RESERVED.fullmatch(task_id):
        return task_id + suffix
    return "kling-" + hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()[:32] + suffix


def link_problem(url: str, *, api_is_loopback: bool) -> str | None:
    """Say why a link is not followed, or None if it may be; the link itself is not repeated."""
    if not url or not all("!" <= char <= "~" for char in url):
        return "is not a web address"
    try:
        parsed = URL(url, encoded=True)
        host, has_user = parsed.host, parsed.raw_user is not None or parsed.raw_password is not None
    except ValueError:
        return "is not a web address"
    if has_user:
        return "has a user name in it"
    if parsed.scheme == "https" and host:
        return None
    if parsed.scheme == "http" and api_is_loopback and is_loopback(host):
        return None
    return "is not an https link"


def read_head(
    status: int,
    headers: Mapping[str, str],
    *,
    offset: int,
    validator: str | None,
    known_total: int | None,
    max_bytes: int,
) -> Answer:
    """Decide what an answer to a request for the bytes from `offset` on means.

    With an `offset` above 0 the request had `Range` and `If-Range: validator`. Anything that does not fit
    what is on the disk to the byte leads to a fresh start ("discard"), never to a mixed file.
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
    if _TEXT_TYPES.match(headers.get("Content-Type", "")):
        return Answer("refuse", NOT_A_VIDEO)
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return Answer("refuse", "the server packed the video in a way nobody asked for")
    length = headers.get("Content-Length", "").strip()
    size = int(length) if _LENGTH.fullmatch(length) else None
    if status == 206:
        if not offset or start is None or int(start) != offset:
            return Answer("discard", "the server sent another part of the video than was asked for")
        if total is None or total != (known_total or total) or int(end or 0) >= total:
            return Answer("discard", "the video changed at the server")
        if strong_validator(headers) not in (None, validator):
            return Answer("discard", "the video changed at the server")
        answer = Answer("go_on", total=total, validator=validator)
    else:
        if size is None and headers.get("Transfer-Encoding", "").lower() != "chunked":
            return Answer("retry", "the server did not say how long the video is")
        answer = Answer("begin", total=size, validator=strong_validator(headers))
    if answer.total is not None and answer.total > max_bytes:
        return too_large(max_bytes)
    return answer


def leads_elsewhere(beginning: bytes) -> bool:
    """Tell a web page or a JSON message by its first bytes; an MP4 begins with a zero byte."""
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"<", b"{", b"[")


def too_large(max_bytes: int) -> Answer:
    """Give the answer for a video above the cap."""
    return Answer("refuse", f"the video is larger than {max_bytes >> 20} MB")


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Give what `If-Range` may name: a strong ETag, or else Last-Modified; None where there is neither."""
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
