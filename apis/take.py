"""A take: what a user pays for, and the ids that make it unique. Pure.

A take is the request, with media by the hash of their pixels, plus the number in the ``take`` widget. The
id sent to Kling is made from it, so the same take has the same id on every machine and after every wipe, and
Kling refuses to make it twice. ``HASH_VERSION`` may never change: another version makes every take that
users have already paid for a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidInput

#: Stands in every take's hash. Raising it would make everything already bought be bought again.
HASH_VERSION = 1

_WHOLE = re.compile(r"[0-9]{1,18}")


def take_number(value: object) -> int:
    """Return the number of a take, however a link gives it: 1, 1.0, true and "1" are one number.

    Raises InvalidInput for anything else: equal inputs must be one take, and what is not a number has no
    equal.
    """
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise InvalidInput(
        f"take: {str(value)[:40]!r} is not a whole number. Choose one like 0 or 7, or connect an INT.",
        widget="take",
    )


def take_id(canonical: Mapping[str, Any], number: object) -> str:
    """Hash of a request's canonical form and its take number: 64 hexadecimal digits.

    ``canonical`` holds only fields that are set, so that a field added later changes no existing take.
    """
    text = json.dumps(
        {"version": HASH_VERSION, "take": number, "request": canonical},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def external_task_id(take: str, attempt: int, scope: str = "") -> str:
    """The id under which Kling knows an attempt at a take: ``kt-`` and 40 hexadecimal digits.

    ``scope`` is the fingerprint of the credential on hosts where strangers may share a Kling account, and
    empty on Kling's own hosts, where the account is the user's.
    """
    text = f"{take}:{attempt}:{scope}" if scope else f"{take}:{attempt}"
    return "kt-" + hashlib.sha256(text.encode("ascii")).hexdigest()[:40]


def idempotency_key(take: str, attempt: int, secret: str) -> str:
    """The key under which the Comfy.org proxy knows an attempt: 64 hexadecimal digits.

    All users of the proxy share one Kling account, so the key covers a ``secret`` of this installation: a
    key made from the content alone could meet a stranger's task.
    """
    return hashlib.sha256(f"{secret}:{take}:{attempt}".encode("ascii")).hexdigest()
