"""``dev.py papers``: write the tables of the README and the help pages again; with ``--check`` only compare.

A table stands between two comments that name it; everything around them is written by hand. Run through
``launch.py pack devtools.papers``, because it reads the nodes and the model table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ..apis.kling.model_file import load_table
from ..nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from ..nodes.base import KlingNodeBase
from . import tables

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- {} (written by dev.py papers) -->\n"
END = "<!-- end of {} -->\n"


class NoPlace(Exception):
    """A page has no place for a table, or one for a table that there is not."""


def wanted() -> dict[Path, dict[str, str]]:
    """Return the tables of every page, by their names."""
    table = load_table()
    pages = {ROOT / "README.md": {"models": tables.readme_table(table)}}
    for node_id in NODE_DISPLAY_NAME_MAPPINGS:
        node = NODE_CLASS_MAPPINGS[node_id]
        found = {"inputs": tables.inputs_table(node), "outputs": tables.outputs_table(node)}
        if issubclass(node, KlingNodeBase):
            found["prices"] = tables.prices_table(node, table)
            found["models"] = tables.models_table(node, table)
        pages[ROOT / "web" / "docs" / f"{node_id}.md"] = {name: text for name, text in found.items() if text}
    return pages


def filled(page: str, found: Mapping[str, str]) -> str:
    """Return a page with its tables as they are now; raises NoPlace unless it has a place for each."""
    for name, text in found.items():
        begin, end = BEGIN.format(name), END.format(name)
        if page.count(begin) != 1 or page.count(end) != 1:
            raise NoPlace(f"needs one line {begin.strip()} and one {end.strip()}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    if page.count("(written by dev.py papers)") != len(found):
        raise NoPlace(f"has places for other tables than {', '.join(found)}")
    return page


def stale() -> dict[Path, str]:
    """Return the pages that are not as they should be, with what they should be."""
    found = {}
    for path, content in wanted().items():
        page = path.read_text(encoding="utf-8")
        try:
            fresh = filled(page, content)
        except NoPlace as error:
            raise NoPlace(f"{path.relative_to(ROOT).as_posix()} {error}") from None
        if fresh != page:
            found[path] = fresh
    return found


def main(argv: list[str]) -> int:
    """Write the pages that are stale; with ``--check`` name them and return 1."""
    parser = argparse.ArgumentParser(prog="dev.py papers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a page is stale")
    check = parser.parse_args(argv).check
    # The nodes ask ComfyUI for the user's own models. Here there are neither.
    folders = ModuleType("folder_paths")
    vars(folders)["get_system_user_directory"] = lambda name: str(ROOT / ".dev" / "no-user")
    sys.modules["folder_paths"] = folders
    try:
        pages = stale()
    except NoPlace as error:
        print(error)
        return 1
    for path, fresh in pages.items():
        if not check:
            path.write_text(fresh, encoding="utf-8", newline="\n")
        print(f"{path.relative_to(ROOT).as_posix()}: {'stale' if check else 'written'}")
    if pages and check:
        print("Run `python3 dev.py papers` and read the difference.")
    return 1 if pages and check else 0
