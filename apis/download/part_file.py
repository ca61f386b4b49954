"""A file on its way to the disk: ``<name>.<process>.part``, and a note beside it of what it is a part of.

Several servers of one installation share the folder, so each process writes a part of its own name: two
that fetch the same result can't mix their bytes. Bytes go on from where they stopped only if the server
says by its validator that the file is still the same one; the note keeps that validator, and no link. A
part that can't be resumed is removed. One download at a time holds a target within this process. Whole is
what has the right length when it has been closed, and opens as what it should be; only then does it get the
target's name.

All methods here block and run in threads. A cancelled download can't stop a write that is under way, so
the write itself lets the file go when it ends: no handle leaks, and nobody else gets the target before.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: tells this process's parts from those of others, also of one that had its number before
_PROCESS = f"{os.getpid()}-{secrets.token_hex(3)}"

_held: set[str] = set()
_held_lock = threading.Lock()


class DiskError(Exception):
    """The disk refused; the text says how, without a path."""

    def __init__(self, reason: str, *, full: bool = False, denied: bool = False) -> None:
        """``full`` and ``denied`` are the two reasons that a user can mend."""
        super().__init__(reason)
        self.full = full
        self.denied = denied


def part_of(target: Path) -> Path:
    """Return where this process writes what is to become ``target``."""
    return target.with_name(f"{target.name}.{_PROCESS}.part")


def note_of(target: Path) -> Path:
    """Return where this process keeps the note about its part of ``target``."""
    return target.with_name(f"{target.name}.{_PROCESS}.part.json")


class PartFile:
    """The part of one target, held from ``claim`` until ``let_go``."""

    def __init__(self, target: Path) -> None:
        """Use ``claim``, which sees to it that there is one at a time."""
        self.target = target
        self.size = 0  #: bytes on the disk
        self.validator: str | None = None  #: ETag or Last-Modified of what the bytes are a part of
        self.total: int | None = None  #: bytes of the whole, where the server said
        self._part = part_of(target)
        self._note = note_of(target)
        self._key = _key(target)
        self._file: io.FileIO | None = None
        self._lock = threading.Lock()
        self._gone = False
        self._ended = False

    @classmethod
    def claim(cls, target: Path) -> PartFile | None:
        """Take hold of a target, or return None while another download of this process holds it."""
        with _held_lock:
            if _key(target) in _held:
                return None
            _held.add(_key(target))
        return cls(target)

    def open(self) -> None:
        """Open the part, make its folder, and keep what is there if it can be resumed."""
        self._do(self._open)

    def restart(self, validator: str | None, total: int | None) -> None:
        """Throw the bytes away and begin a file that the server knows by ``validator``."""
        self._do(lambda: self._restart(validator, total))

    def write(self, data: bytes) -> None:
        """Append all of ``data``."""
        self._do(lambda: self._write(data))

    def finish(self, opens: Callable[[Path], bool]) -> bool:
        """Make the bytes durable and give them the target's name in one step.

        Returns False, and throws the bytes away, where the file does not open as what it should be.
        """
        return self._do(lambda: self._finish(opens))

    def let_go(self) -> None:
        """Close the file without waiting: at once, or else as soon as the running write ends."""
        self._gone = True
        if self._lock.acquire(blocking=False):
            self._lock.release()
            self._end()

    def _do(self, work: Callable[[], T]) -> T:
        trouble: OSError | None = None
        try:
            with self._lock:
                if self._gone:
                    raise DiskError("the download was given up")
                try:
                    return work()
                except OSError as error:
                    trouble = error
        finally:
            if self._gone:
                self._end()
        # Raised outside ``except``: an OSError carries the whole path.
        raise DiskError(
            trouble.strerror or type(trouble).__name__,
            full=trouble.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG),
            denied=trouble.errno in (errno.EACCES, errno.EPERM, errno.EROFS),
        )

    def _open(self) -> None:
        self._part.parent.mkdir(parents=True, exist_ok=True)
        # Append mode: creates without truncating, and a write after a truncation lands at the new end.
        self._file = io.FileIO(self._part, "a")
        self.size = self._file.tell()
        self.validator, self.total = self._read_note()
        if self.validator is None:
            self._restart(None, None)

    def _read_note(self) -> tuple[str | None, int | None]:
        try:
            note = json.loads(self._note.read_text("ascii"))
            validator, total = note["validator"], note["total"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None, None
        sound = isinstance(validator, str) and 0 < len(validator) <= 1024 and validator.isprintable()
        if not sound or not (total is None or (type(total) is int and total >= self.size)):
            return None, None
        return validator, total

    def _restart(self, validator: str | None, total: int | None) -> None:
        # First the bytes, then the note: dying in between leaves no bytes under a note of other bytes.
        if self.size:
            self._opened().truncate(0)
            self.size = 0
        self.validator, self.total = validator, total
        if validator is None:
            self._note.unlink(missing_ok=True)
        else:
            self._note.write_text(json.dumps({"validator": validator, "total": total}), "ascii")

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = self._opened().write(left)
            self.size += written or 0
            left = left[written or 0 :]

    def _finish(self, opens: Callable[[Path], bool]) -> bool:
        file = self._opened()
        os.fsync(file.fileno())
        file.close()  # before the rename: Windows renames no open file
        self._file = None
        # By its path, as whoever opens it next will find it: the descriptor may be of a file that is gone.
        if self._part.stat().st_size != self.size:
            self._remove()  # whose bytes these are, nobody knows: not to be resumed
            raise OSError(errno.EIO, "something else wrote into the file")
        if not opens(self._part):
            self._remove()
            self._file = io.FileIO(self._part, "a")
            self._restart(None, None)
            return False
        # The note goes first: once the file has its name nobody comes back to tidy up, and a part that lost
        # its note between these two lines is only fetched again.
        self._note.unlink(missing_ok=True)
        try:
            self._part.replace(self.target)
        except PermissionError:
            # Windows does not replace a file that is read. Another process was faster, and its file is whole.
            if not self.target.is_file():
                raise
            self._remove()
        return True

    def _remove(self) -> None:
        self._part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _opened(self) -> io.FileIO:
        if self._file is None:
            raise OSError(errno.EBADF, "the file is not open")
        return self._file

    def _end(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            try:
                if self._file is not None:
                    self._file.close()
                    if not self.size or self.validator is None:
                        with contextlib.suppress(OSError):
                            self._remove()
            finally:
                with _held_lock:
                    _held.discard(self._key)


def _key(target: Path) -> str:
    """Return the name of a target in the one way in which two spellings of it are equal."""
    return os.path.normcase(target.absolute())
