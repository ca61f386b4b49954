"""The models that the nodes offer: Kling's, with the user's own on top."""

from __future__ import annotations

from pathlib import Path

from ..apis.kling.model_file import load_table
from ..apis.kling.models import ModelTable
from . import host

FILE_NAME = "models.json"

_tables: dict[Path, tuple[tuple[int, int] | None, ModelTable]] = {}


def model_table() -> ModelTable:
    """Return the table; the user's file is read again only when it has changed."""
    path = host.user_dir() / FILE_NAME
    try:
        stat = path.stat()
        stamp: tuple[int, int] | None = (stat.st_mtime_ns, stat.st_size)
    except OSError:
        stamp = None
    known = _tables.get(path)
    if known is None or known[0] != stamp:
        known = (stamp, load_table(path if stamp else None))
        _tables[path] = known
    return known[1]
