"""The takes that are kept on the user's disk: whether a file is whole, and which ones make room.

What was paid for stays in the pack's own folder, which no server wipes, up to a size that the user sets;
then the longest unused go first. Everything here blocks for some milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import BinaryIO

from .kling.responses import OutputKind

#: what half a download is called, beside the file that it becomes
PART_MARK = ".part"
#: seconds after which half a download of a process that has gone is rubbish
ABANDONED_AFTER = 86400.0
#: seconds in which a file that was just used is not removed: the node that got its path may still read it
IN_USE = 3600.0


def is_whole(path: Path, kind: OutputKind, size: int | None = None) -> bool:
    """Return whether a file is there, as long as it should be, and opens as what it is.

    ``size`` in bytes is what the journal says; None where nothing is known.
    """
    try:
        found = path.stat().st_size
    except OSError:
        return False
    return found > 0 and (size is None or found == size) and opens(path, kind)


def opens(path: Path, kind: OutputKind) -> bool:
    """Return whether a file can be read as what it is; a video or sound is not decoded for it."""
    try:
        with path.open("rb") as file:
            if _is_mp4(file) and not _has_all_boxes(file):
                return False  # a reader would not notice before it comes to the part that is missing
        if kind == "image":
            from PIL import Image

            with Image.open(path) as picture:
                picture.load()  # a picture cut in the middle has a head that opens well
            return True
        import av

        with av.open(str(path)) as container:
            pictures = container.format.name.endswith(
                "_pipe"
            )  # how FFmpeg reads a PNG as a film of one picture
            return not pictures and any(stream.type == kind for stream in container.streams)
    except Exception:  # noqa: BLE001 - whatever a library makes of a damaged file, it does not open
        return False


def _is_mp4(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(8)[4:] == b"ftyp"


def _has_all_boxes(file: BinaryIO) -> bool:
    """Return whether the boxes of an MP4 (ISO 14496-12) fill it to its last byte, its index among them."""
    length = file.seek(0, os.SEEK_END)
    place, names = 0, set()
    while place < length:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return False
        size = int.from_bytes(head[:4], "big")
        if size == 1:  # a box over 4 GB has its size behind its name
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:  # the last one may leave it out
            size = length - place
        if size < 8:
            return False
        names.add(head[4:8])
        place += size
    return place == length and b"moov" in names


def mark_used(path: Path) -> None:
    """Note that a file was handed out just now."""
    with contextlib.suppress(OSError):
        os.utime(path)


def make_room(folder: Path, most_bytes: float) -> list[str]:
    """Remove the longest unused files until the rest fits into ``most_bytes``, and return their names.

    A file used within the hour stays, whatever the size. Halves of downloads that nobody goes on with go too.
    """
    now, files, removed = time.time(), [], []
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                stat = path.stat()
                files.append((stat.st_mtime, stat.st_size, path))
    for used_at, _size, path in files:
        if PART_MARK in path.name and now - used_at > ABANDONED_AFTER:
            with contextlib.suppress(OSError):
                path.unlink()
    kept = sorted(entry for entry in files if PART_MARK not in entry[2].name)
    size = sum(entry[1] for entry in kept)
    for used_at, length, path in kept:
        if size <= most_bytes or now - used_at < IN_USE:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            removed.append(path.name)
            size -= length
    return removed
