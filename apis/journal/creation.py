"""A journal's file from nothing, and from an older version to the present one.

A new file gets its name when it is finished. So nobody ever meets an empty one that is about to become a
journal, and one that is empty all the same has lost what was in it.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ..publishing import publish_once
from . import refusals

#: what SQLite calls the files beside a database in which its latest changes are
SIDES = ("-wal", "-shm", "-journal")


def side_files(path: Path) -> list[Path]:
    """Return the files beside a database that belong to it."""
    names = [path.with_name(path.name + side) for side in SIDES]
    return [side for side in names if side.exists()]


def create(path: Path, migrations: Sequence[str], *, shared: bool) -> None:
    """Make the journal at ``path``, unless another process was faster; ``shared``: between computers.

    Raises JournalError where the remains of an earlier one would be taken for a part of it.
    """
    sides = side_files(path)
    if sides and not path.exists():
        raise refusals.remains(path, sides[0])
    draft = path.with_name(f"{path.stem}.new-{secrets.token_hex(4)}{path.suffix}")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            # Chosen here and kept: who comes later must not put a shared file back.
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            bring_up(connection, migrations, path)
        publish_once(draft, path)
    finally:
        for left in (draft, *side_files(draft)):
            left.unlink(missing_ok=True)


def bring_up(connection: sqlite3.Connection, migrations: Sequence[str], path: Path) -> None:
    """Bring a journal to the present version, in one step or not at all; JournalError if it is newer."""
    known = len(migrations)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > known:
            raise refusals.newer(path)
        for step in range(version, known):
            for statement in _statements(migrations[step]):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {known:d}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Return the script's statements one by one: ``executescript`` would end the transaction around them."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
