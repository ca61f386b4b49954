"""Which file has the journal's name, and whether it is the one that was opened. Pure but for ``file_at``.

A connection holds on to its file when the name is gone or another file has it. What it writes from then on
is lost, and what it reads has been overtaken, so both are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


@dataclass(frozen=True)
class FileSeen:
    """A file as it was found under a name; ``size`` in bytes."""

    device: int
    inode: int
    size: int

    def is_same(self, other: FileSeen) -> bool:
        """Return whether both are one file, however long."""
        return (self.device, self.inode) == (other.device, other.inode)


class Standing(Enum):
    """How the file that was opened stands to the one that has its name now."""

    SAME = "same"
    GONE = "gone"
    REPLACED = "replaced"
    EMPTIED = "emptied"


def standing(opened: FileSeen, now: FileSeen | None) -> Standing:
    """Return what became of the name since the file was opened; ``now`` is None where nothing has it."""
    if now is None:
        return Standing.GONE
    if not now.is_same(opened):
        return Standing.REPLACED
    return Standing.SAME if now.size else Standing.EMPTIED


def file_at(path: Path) -> FileSeen | None:
    """Return which file has a name now, or None for none; raises OSError where that can't be known."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileSeen(found.st_dev, found.st_ino, found.st_size)
