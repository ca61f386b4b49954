"""What an id of a task can look like: Kling's own, or one that was sent with the create. Pure."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def problem_of_id(text: str) -> str | None:
    """Return what is wrong with an id, or None; it becomes part of an address, so nothing odd passes."""
    name = text.strip()
    if not name:
        return "task_id is empty. Paste a task id, or an external task id that begins with kt-."
    if not _ID.fullmatch(name):
        return (
            "task_id is not an id of a task: it begins with a letter or a digit and may have letters, "
            "digits, - and _, up to 128 of them. "
            "Paste it without quotes, spaces or an address around it."
        )
    return None
