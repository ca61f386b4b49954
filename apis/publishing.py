"""Giving a finished file its name: whole or not at all, and never over one that has the name already."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def publish_once(draft: Path, path: Path) -> bool:
    """Give the file ``draft`` the name ``path`` beside it; return whether it got it.

    Where another process was faster its file stays. The draft's own name may be left over.
    """
    try:
        os.link(draft, path)  # fails where the name is taken, which a rename does on Windows only
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        with suppress(FileExistsError):
            draft.rename(path)
            return True
        return False
    return True
