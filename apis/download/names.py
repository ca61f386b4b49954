"""What the files of a task are called. Pure: no two results of any tasks share a name."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ..kling.responses import OutputKind
from .kinds import KINDS

_PLAIN_ID = re.compile(r"[0-9a-z][0-9a-z_-]{0,99}")
_NUMBERED = re.compile(r".*-[0-9]{1,3}")  #: an id that looks like another task's second, third ... result
_SUFFIX = re.compile(r"\.[0-9a-z]{1,8}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")


def output_name(task_id: str, index: int, kind: OutputKind, url: str) -> str:
    """Return the file name of a task's result: ``<id>.mp4`` for the first, ``<id>-2.mp4`` for the second.

    ``index`` counts from 0. The suffix is that of the link's path, where it is one of the kind's. An id that
    other accounts may have too must come with its scope in front. Raises ValueError for no id at all.
    """
    suffix = _suffix(kind, url)
    first = safe_name(task_id, suffix)
    return first if index == 0 else f"{first.removesuffix(suffix)}-{index + 1}{suffix}"


def safe_name(task_id: str, suffix: str = ".mp4") -> str:
    """Return the file name for a task: its id where that is a harmless name on every system, else a hash.

    An odd id must not cost the user a paid result, so it is replaced and not refused. Upper case counts as
    odd, because two ids may differ in nothing else and not every disk tells them apart. Raises ValueError
    for no id at all and for a suffix that is none.
    """
    if not task_id or not _SUFFIX.fullmatch(suffix):
        raise ValueError("a file name needs a task id and a suffix such as .mp4")
    odd = _RESERVED.fullmatch(task_id) or _NUMBERED.fullmatch(task_id)
    if _PLAIN_ID.fullmatch(task_id) and not odd:
        return task_id + suffix
    return "kling-" + hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()[:32] + suffix


def _suffix(kind: OutputKind, url: str) -> str:
    allowed = KINDS[kind].suffixes
    try:
        found = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError:
        return allowed[0]
    return found if found in allowed else allowed[0]
