"""Keeping the credential out of everything that a server says. Pure.

A server may echo the key that it was sent, whole or cut. Whatever it answers passes this filter before
anything else sees it, so no text that is quoted, written down or shown can hold a part of a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: what stands where a secret stood
MARK = "[hidden]"
#: characters of a secret in a row that count as a part of it; fewer are chance
SHORTEST = 10
#: of one text that a server sent; Kling's longest are some hundred characters, and links below 4,000
LONGEST_TEXT = 16_384


class Redactor:
    """Takes the secrets of one credential, and their longer parts, out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Begin; a secret too short to be told from chance is looked for as a whole."""
        known = [secret for secret in secrets if secret]
        self._whole = sorted((secret for secret in known if len(secret) < SHORTEST), key=len, reverse=True)
        self._parts = frozenset(
            secret[start : start + SHORTEST]
            for secret in known
            for start in range(len(secret) - SHORTEST + 1)
        )

    def text(self, text: str) -> str:
        """Return the text without any part of a secret, cut to ``LONGEST_TEXT``, with no half characters."""
        for secret in self._whole:
            text = text.replace(secret, MARK)
        if len(text) > LONGEST_TEXT:
            text = text[:LONGEST_TEXT] + "…"
        text = self._without_parts(text)
        # Half a character, as a text cut within an emoji has, is taken by no file and no database.
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

    def value(self, value: Any) -> Any:
        """Return a JSON value with every text in it filtered, names included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(entry) for name, entry in value.items()}
        return value

    def _without_parts(self, text: str) -> str:
        if not any(part in text for part in self._parts):
            return text
        kept, last, place = [], 0, 0
        while place <= len(text) - SHORTEST:
            if text[place : place + SHORTEST] not in self._parts:
                place += 1
                continue
            end = place + SHORTEST
            while end < len(text) and text[end - SHORTEST + 1 : end + 1] in self._parts:
                end += 1
            kept += [text[last:place], MARK]
            last = place = end
        return "".join([*kept, text[last:]])
