"""A random secret of this installation, kept beside the journal and made at its first use.

Creates through Comfy.org go out under a key made from it. Under another secret the same take would be a
second purchase, so one that is missing or damaged is never replaced while something may be on its way.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from .errors import JournalError
from .publishing import publish_once

FILE_NAME = "idempotency.secret"


def installation_secret(folder: Path, *, resend: bool = False) -> str:
    """Return the secret in ``folder``, 64 hexadecimal digits; for a ``resend`` none is made.

    Raises JournalError where it can't be used.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            if resend:
                raise JournalError(
                    f"{path.name} beside the record of paid takes is missing. An earlier run may have "
                    "bought this take under it, so it is not sent again. See the usage in your Comfy "
                    "account; to buy it anew, choose another number for take."
                )
            _publish_once(path, secrets.token_hex(32))
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(
            f"{path.name} beside the record of paid takes can't be used ({type(error).__name__}). "
            "Nothing is bought without it. Check that ComfyUI's user folder is writable."
        ) from None
    if not re.fullmatch(r"[0-9a-f]{64}", secret):
        raise JournalError(
            f"{path.name} beside the record of paid takes is damaged. Nothing is bought. Delete it "
            "only when no take is on its way: without it, an unfinished take of the Comfy.org account "
            "can't be told apart."
        )
    return secret


def _publish_once(path: Path, text: str) -> None:
    """Create ``path`` with ``text``, whole or not at all; where it exists already it stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        publish_once(draft, path)
    finally:
        draft.unlink(missing_ok=True)
