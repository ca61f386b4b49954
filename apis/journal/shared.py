"""One journal for a path in this process: opened and checked once, whoever asks for it."""

from __future__ import annotations

import threading
from pathlib import Path

from .record import Journal

_journals: dict[Path, Journal] = {}
_journals_lock = threading.Lock()


def shared_journal(path: Path) -> Journal:
    """Return this process's one journal at ``path``, which all nodes use."""
    with _journals_lock:
        return _journals.setdefault(path, Journal(path))


def close_journals() -> None:
    """Let go of every shared journal; the next use opens its own again."""
    with _journals_lock:
        while _journals:
            _journals.popitem()[1].close()
