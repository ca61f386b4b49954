"""Why the record of paid takes can't be used, in sentences that say what to do. Pure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import JournalError
from .identity import Standing

_FOUND_AT_KLING = (
    "with your own Kling key, takes that you have paid for are found at Kling and collected, not bought again"
)


def is_corrupt(error: Exception) -> bool:
    """Return whether SQLite says that the file itself is damaged."""
    text = str(error)
    return isinstance(error, sqlite3.DatabaseError) and any(
        sign in text for sign in ("malformed", "not a database", "corrupt")
    )


def unusable(path: Path, error: Exception) -> JournalError:
    """Return the refusal where the file can't be read or written."""
    if "locked" in str(error) or "busy" in str(error):
        return JournalError(
            f"The record of paid takes, {_where(path)}, is locked by another program. Nothing is bought "
            "without it. Close what holds it, then queue again."
        )
    return JournalError(
        f"The record of paid takes, {_where(path)}, can't be written ({type(error).__name__}: {error}). "
        "Nothing is bought without it. Check that the folder is writable and the disk is not full, then "
        "queue again."
    )


def newer(path: Path) -> JournalError:
    """Return the refusal of a file that a later version has written."""
    return JournalError(
        f"The record of paid takes ({path.name}) was written by a newer version of Kling Takes (or not by "
        "it). Nothing is bought, so that nothing is bought twice: update the pack."
    )


def set_aside(path: Path, kept: Path) -> JournalError:
    """Return the refusal after a damaged file was kept under another name."""
    return JournalError(
        "The record of paid takes was damaged, and nothing is bought without one. It is kept as "
        f"{kept.name} in {_folder(path)}. Queue again to go on with a new record: {_FOUND_AT_KLING}."
    )


def stuck(path: Path) -> JournalError:
    """Return the refusal of a damaged file that could not be set aside."""
    return JournalError(
        f"The record of paid takes, {_where(path)}, is damaged and could not be set aside. Nothing is "
        "bought. Close other ComfyUI processes, move the file away, then queue again: Kling refuses a second "
        "purchase of the same take."
    )


def begun_anew() -> JournalError:
    """Return the refusal of a damaged file whose name another process has given to a new one."""
    return JournalError(
        "The record of paid takes was damaged, and another ComfyUI has begun a new one meanwhile. Nothing is "
        "bought without one. Queue again to go on with the new record."
    )


def empty(path: Path) -> JournalError:
    """Return the refusal of a file of no length: something has cut it, and it may have held paid takes."""
    return JournalError(
        f"The record of paid takes, {_where(path)}, is empty: something has cut it to no length. Nothing is "
        "bought without it. Put a copy of it back if you have one, or delete the file and queue again to "
        f"begin a new record: {_FOUND_AT_KLING}."
    )


def remains(path: Path, side: Path) -> JournalError:
    """Return the refusal where the file is missing and its log is not: there has been one before."""
    return JournalError(
        f"The record of paid takes, {_where(path)}, is missing, and {side.name}, which belongs to it, is "
        "still there. Nothing is bought without it. Put the record back if you have it; else delete the "
        f"files that begin with {path.name} and queue again to begin a new record: {_FOUND_AT_KLING}."
    )


def lost(path: Path, standing: Standing) -> JournalError:
    """Return the refusal of a file that has lost its name while it was open."""
    if standing is Standing.EMPTIED:
        return empty(path)
    if standing is Standing.REPLACED:
        return JournalError(
            f"The record of paid takes, {_where(path)}, was replaced by another file while ComfyUI was "
            "running. Nothing new is bought before that is seen. Queue again to go on with the file that is "
            "there now."
        )
    return JournalError(
        f"The record of paid takes, {_where(path)}, was moved or deleted while ComfyUI was running. Nothing "
        "new is bought without it. Put it back if you have it, then queue again; without it a new record "
        f"begins: {_FOUND_AT_KLING}."
    )


def other_record() -> JournalError:
    """Return the refusal to write into a record that does not have the row: it is not where it came from."""
    return JournalError(
        "The record of paid takes was exchanged for another one while this take was on its way. Queue the "
        f"same take again: {_FOUND_AT_KLING}."
    )


def _where(path: Path) -> str:
    return f"{path.name} in {_folder(path)}"


def _folder(path: Path) -> str:
    return f"ComfyUI's user/{path.parent.name} folder"
