"""Keeping the credential out of everything that a server says. Pure.

A server may echo the key that it was sent, whole, cut or escaped. Whatever it answers passes this filter
before anything else sees it, so no text that is quoted, written down or shown can hold a part of a secret.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

#: what stands where a secret stood
MARK = "[hidden]"
#: characters of a secret in a row that count as a part of it; fewer are chance
SHORTEST = 10
#: characters of a secret that are looked for as a whole word; what is shorter still anybody can guess, and it
#: would be found in every other sentence
SHORTEST_WORD = 6
#: characters that are looked up first, at one place in six: in each part as long as ``SHORTEST`` there is one
_SEED = 5
_STRIDE = SHORTEST - _SEED + 1
#: characters of one text that a server sent; Kling's longest are some hundred, and links below 4,000
LONGEST_TEXT = 16_384
#: a whole number from here on is as long as a part of a secret
_LONG_NUMBER = 10 ** (SHORTEST - 1)

_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


class Redactor:
    """Takes the secrets that it knows, and their longer parts, out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Begin with these secrets."""
        self._known: set[str] = set()
        self._parts: set[str] = set()
        self._seeds: set[str] = set()
        self._words: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Know these secrets too, and for good: an answer may still name a token that has been replaced."""
        for secret in secrets:
            if secret in self._known:
                continue
            self._known.add(secret)
            self._parts |= _pieces(secret, SHORTEST)
            if len(secret) >= SHORTEST:
                self._seeds |= _pieces(secret, _SEED)
            elif len(secret) >= SHORTEST_WORD:
                words = [re.escape(each) for each in self._known if SHORTEST_WORD <= len(each) < SHORTEST]
                self._words = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(words)})(?![A-Za-z0-9])")

    def text(self, text: str) -> str:
        """Return the text without any part of a secret, cut to ``LONGEST_TEXT``, with no half characters."""
        if len(text) > LONGEST_TEXT:
            text = text[:LONGEST_TEXT] + "…"
        text = self._filtered(text, self._hidden)
        # Half a character, as a text cut within an emoji has, is taken by no file and no database.
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

    def value(self, value: Any) -> Any:
        """Return a JSON value with every text in it filtered, names included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if isinstance(value, dict):
            # A short key may be a word that Kling's own fields have, and a field under another name is lost.
            return {
                self._filtered(name, self._without_parts): self.value(entry) for name, entry in value.items()
            }
        if isinstance(value, int) and abs(value) >= _LONG_NUMBER:
            digits = str(value)
            hidden = self._without_parts(digits)
            return value if hidden == digits else hidden
        return value

    def _filtered(self, text: str, hide: Callable[[str], str]) -> str:
        """Return the text with the secrets hidden; where they are escaped in it, it is shown unescaped."""
        if "\\" in text or "%" in text or "&#" in text:
            plain = html.unescape(unquote(_ESCAPED.sub(_unescaped, text)))
            hidden = hide(plain)
            if hidden != plain:
                text = hidden
        return hide(text)

    def _hidden(self, text: str) -> str:
        text = self._without_parts(text)
        return text if self._words is None else self._words.sub(MARK, text)

    def _without_parts(self, text: str) -> str:
        seeds = self._seeds
        found = [
            place
            for place in range(0, len(text) - _SEED + 1, _STRIDE)
            if text[place : place + _SEED] in seeds
        ]
        kept: list[str] = []
        end = 0
        for place in found:
            for start in range(max(place - _STRIDE + 1, 0), place + 1):
                if text[start : start + SHORTEST] in self._parts:
                    if start > end or not kept:
                        kept += [text[end:start], MARK]
                    end = start + SHORTEST
        return "".join([*kept, text[end:]]) if kept else text


def _pieces(secret: str, length: int) -> set[str]:
    return {secret[start : start + length] for start in range(len(secret) - length + 1)}


def _unescaped(found: re.Match[str]) -> str:
    code, other = found.groups()
    return chr(int(code, 16)) if code else other
