"""Guards of the journal's file: that it is the one at its path, that a new one is new, and on which drive."""

from __future__ import annotations

from .form import (
    JOURNAL_FILE,
    JOURNAL_LOST,
    NETWORK_DRIVES,
    SOURCE_CREATION,
    SOURCE_IDENTITY,
    SOURCE_JOURNAL,
    SOURCE_JOURNAL_FILE,
    SOURCE_NETWORK,
    Edit,
    Mutation,
    one,
)

MUTATIONS: tuple[Mutation, ...] = (
    # -- a file that loses its name ------------------------------------------------------------------------
    one(
        "what is written after the record was deleted is lost in silence",
        SOURCE_IDENTITY,
        "    if now is None:\n        return Standing.GONE\n",
        "    if now is None:\n        return Standing.SAME\n",
        JOURNAL_LOST,
    ),
    one(
        "what is written after the record was replaced is lost in silence",
        SOURCE_IDENTITY,
        "    if not now.is_same(opened):\n",
        "    if False:\n",
        JOURNAL_LOST,
    ),
    one(
        "a record is told by its device alone",
        SOURCE_IDENTITY,
        "return (self.device, self.inode) == (other.device, other.inode)",
        "return self.device == other.device",
        JOURNAL_LOST,
    ),
    one(
        "a record that was cut to no length under an open process is used",
        SOURCE_IDENTITY,
        "return Standing.SAME if now.size else Standing.EMPTIED",
        "return Standing.SAME",
        JOURNAL_LOST,
    ),
    one(
        "a purchase is written into a record that has gone",
        SOURCE_JOURNAL_FILE,
        "                    how = self._standing()\n                    if how is Standing.SAME:\n"
        "                        result",
        "                    how = Standing.SAME\n                    if how is Standing.SAME:\n"
        "                        result",
        JOURNAL_LOST,
    ),
    one(
        "a record that goes while its writer waits for the lock is written to",
        SOURCE_JOURNAL_FILE,
        '                connection.execute("BEGIN IMMEDIATE")\n                try:\n'
        "                    how = self._standing()\n",
        "                how = self._standing()\n"
        '                connection.execute("BEGIN IMMEDIATE")\n                try:\n',
        JOURNAL_LOST,
    ),
    one(
        "what was bought is read from a record that has gone",
        SOURCE_JOURNAL_FILE,
        "                how = self._standing()\n                if how is Standing.SAME:\n"
        "                    return",
        "                how = Standing.SAME\n                if how is Standing.SAME:\n"
        "                    return",
        JOURNAL_LOST,
    ),
    one(
        "a record that has gone stays open, and nothing can be bought any more",
        SOURCE_JOURNAL_FILE,
        "        self._connection, whole = None, False\n",
        "        whole = False\n",
        JOURNAL_LOST,
    ),
    one(
        "a record that is put back lacks its last rows",
        SOURCE_JOURNAL_FILE,
        'whole = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0',
        "whole = True",
        JOURNAL_LOST,
    ),
    one(
        "the log of a record that has gone is read into the next one",
        SOURCE_JOURNAL_FILE,
        "                    side.unlink()\n",
        "                    pass\n",
        JOURNAL_LOST,
    ),
    one(
        "the log of another process's record is removed",
        SOURCE_JOURNAL_FILE,
        " and (now := file_at(side)) is not None and now.is_same(seen):",
        " and side.exists():",
        JOURNAL_LOST,
    ),
    one(
        "a run writes into the row of another take after an exchange of records",
        SOURCE_JOURNAL,
        "if not changed and connection.execute(is_there, (row_id,)).fetchone() is None:",
        "if False:",
        JOURNAL_LOST,
    ),
    one(
        "the rows of two records have the same numbers",
        SOURCE_JOURNAL,
        "[secrets.randbelow(FIRST_ROWS), *values, now]",
        "[0, *values, now]",
        JOURNAL_LOST,
    ),
    # -- a record that is new, or not ----------------------------------------------------------------------
    one(
        "a file of no length is a new record",
        SOURCE_JOURNAL_FILE,
        "if opened is None or opened.size == 0:",
        "if opened is None:",
        JOURNAL_LOST,
    ),
    one(
        "a file that has just gone comes back empty",
        SOURCE_JOURNAL_FILE,
        "?mode=rw",
        "?mode=rwc",
        JOURNAL_LOST,
    ),
    one(
        "the log of a killed process is read into a new record",
        SOURCE_CREATION,
        "    if sides and not path.exists():\n",
        "    if False:\n",
        JOURNAL_LOST,
    ),
    one(
        "a record has its name before it is finished",
        SOURCE_CREATION,
        '    draft = path.with_name(f"{path.stem}.new-{secrets.token_hex(4)}{path.suffix}")\n',
        "    draft = path\n",
        JOURNAL_LOST,
        JOURNAL_FILE,
    ),
    one(
        "of two that begin at once one throws the other's record away",
        "apis/publishing.py",
        "        os.link(draft, path)  # fails",
        "        os.replace(draft, path)  # fails",
        JOURNAL_LOST,
        JOURNAL_FILE,
    ),
    one(
        "on a drive without links one that begins throws another's record away",
        "apis/publishing.py",
        "        if path.exists():\n            return False\n",
        "",
        JOURNAL_LOST,
    ),
    # -- network drives ------------------------------------------------------------------------------------
    one(
        "on a network drive the record is begun in the way of one computer",
        SOURCE_CREATION,
        "{'DELETE' if shared else 'WAL'}",
        "WAL",
        NETWORK_DRIVES,
    ),
    one(
        "on a network drive a record stays in the way of one computer",
        SOURCE_JOURNAL_FILE,
        'if shared and connection.execute("PRAGMA journal_mode = DELETE")',
        'if False and connection.execute("PRAGMA journal_mode = DELETE")',
        NETWORK_DRIVES,
    ),
    one(
        "who lends a folder to others puts the record back into the way of one computer",
        SOURCE_JOURNAL_FILE,
        "            # FULL: a row that says",
        "            way = 'DELETE' if shared else 'WAL'\n"
        '            connection.execute(f"PRAGMA journal_mode = {way}").fetchone()\n'
        "            # FULL: a row that says",
        NETWORK_DRIVES,
    ),
    one(
        "the mount that comes first counts, and a network drive below it is not seen",
        SOURCE_NETWORK,
        "len(mounted_at.parts) >= depth:",
        "depth < 0:",
        NETWORK_DRIVES,
    ),
    one(
        "a folder beside a network drive counts as on it",
        SOURCE_NETWORK,
        "folder.is_relative_to(mounted_at)",
        "str(folder).startswith(str(mounted_at))",
        NETWORK_DRIVES,
    ),
    one(
        "a link to a network drive hides it",
        SOURCE_NETWORK,
        "where = folder.resolve()",
        "where = folder.absolute()",
        NETWORK_DRIVES,
    ),
    Mutation(
        "nobody is told of a network drive",
        (Edit("apis/studio.py", "*([notice] if notice else [])", "*([])"),),
        (NETWORK_DRIVES,),
    ),
)
