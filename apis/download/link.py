"""Which links are followed. Pure: a link decides nothing but where the bytes come from."""

from __future__ import annotations

from yarl import URL

from ..redaction import MARK
from ..settings import is_loopback


def link_problem(url: str, *, api_is_loopback: bool) -> str | None:
    """Say why a link is not followed, or None if it may be; the link itself is not repeated."""
    if not url or not all("!" <= char <= "~" for char in url):
        return "is not a web address"
    if MARK in url:
        return "has a part of your key in it"
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
