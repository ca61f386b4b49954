"""What befalls the files of a computer in a story: its journal, and the videos that it has kept.

None of it happens in the middle of a write, though a run may well be under way.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

#: what SQLite calls the files beside a database, the database itself first
FILES = ("", "-wal", "-shm")
JOURNAL = "journal.sqlite3"


class Disk:
    """The folder of one computer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / JOURNAL
        self._copy = folder / "copy.sqlite3"
        self._aside = folder / "aside.sqlite3"

    def delete_journal(self) -> None:
        """Delete it and what SQLite keeps beside it."""
        for tail in FILES:
            self.journal.with_name(JOURNAL + tail).unlink(missing_ok=True)

    def set_journal_aside(self) -> None:
        """Give the file another name; what is beside it stays."""
        if self.journal.exists():
            self.journal.replace(self._aside)

    def put_journal_back(self) -> None:
        """Give the file its name again, unless another one has it now."""
        if self._aside.exists() and not self.journal.exists():
            self._aside.replace(self.journal)

    def copy_journal(self) -> None:
        """Make a copy for later, as a backup program does."""
        with (
            contextlib.closing(sqlite3.connect(self.journal)) as here,
            contextlib.closing(sqlite3.connect(self._copy)) as copy,
        ):
            here.backup(copy)

    def replace_journal(self) -> bool:
        """Put an earlier copy in its place; without one make it and return False."""
        if not self.journal.exists():
            return False
        if not self._copy.exists():
            self.copy_journal()
            return False
        self._copy.replace(self.journal)
        return True

    def spoil_videos(self, *, cut: bool) -> int:
        """Delete the videos that are kept, or cut each in the middle; return how many there were."""
        paths = list((self.folder / "takes").glob("*.mp4"))
        for path in paths:
            if cut:
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            else:
                path.unlink()
        return len(paths)

    def names_with(self, secret: str) -> list[str]:
        """Return the names of the files that hold a secret in their name or text; a video has no text."""
        return [
            path.name
            for path in self.folder.rglob("*")
            if secret in path.name
            or (path.is_file() and path.suffix != ".mp4" and secret.encode() in path.read_bytes())
        ]
