"""Guards of what was paid for: whole, of the right task, and each under its own name."""

from __future__ import annotations

from .form import DOWNLOAD, KINDS, LINKS, NAMES, RESULTS, SOURCE_DOWNLOAD, SOURCE_FOLLOWER, Mutation, one

MUTATIONS: tuple[Mutation, ...] = (
    # -- the video -----------------------------------------------------------------------------------------
    one(
        "half a video is taken for a whole one",
        SOURCE_DOWNLOAD,
        "if answer.total is not None and part.size != answer.total:",
        "if False:",
        DOWNLOAD,
    ),
    one(
        "the part has the video's name before it is whole",
        "apis/download/part_file.py",
        "self._part = part_of(target)",
        "self._part = target",
        DOWNLOAD,
    ),
    one(
        "a download goes on without asking whether it is still the same video",
        SOURCE_DOWNLOAD,
        '{"Range": f"bytes={offset}-", "If-Range": validator}',
        '{"Range": f"bytes={offset}-"}',
        DOWNLOAD,
    ),
    one(
        "another part of the video is appended",
        "apis/download/head.py",
        "if not offset or start is None or int(start) != offset:",
        "if not offset or start is None:",
        DOWNLOAD,
        LINKS,
    ),
    one(
        "another file is taken for the image or the sound",
        "apis/download/head.py",
        "return None if kind.signature.match(beginning) else",
        "return None if True else",
        KINDS,
    ),
    one(
        "the second result of one task has the name of another task's first",
        "apis/download/names.py",
        "_RESERVED.fullmatch(task_id) or _NUMBERED.fullmatch(task_id)",
        "_RESERVED.fullmatch(task_id)",
        NAMES,
    ),
    one(
        "a link without https is followed",
        "apis/download/link.py",
        'if parsed.scheme == "https" and host:',
        'if parsed.scheme in ("http", "https") and host:',
        LINKS,
    ),
    one(
        "an id names a file outside the folder",
        "apis/download/names.py",
        "    if _PLAIN_ID.fullmatch(task_id) and not",
        "    if task_id and not",
        NAMES,
    ),
    # -- results of any kind and number --------------------------------------------------------------------
    one(
        "a take counts as delivered when its first picture is here",
        SOURCE_FOLLOWER,
        "            outputs[place] = replace(outputs[place], bytes=target.stat().st_size)\n",
        "            outputs[place] = replace(outputs[place], bytes=target.stat().st_size)\n"
        "            await journal.call(journal.delivered, ref.row_id, now=0.0, outputs=outputs)\n",
        RESULTS,
    ),
    one(
        "some of the pictures on the disk are taken for all of them",
        SOURCE_FOLLOWER,
        "if not paths or not all(whole):",
        "if not paths or not any(whole):",
        RESULTS,
    ),
    one(
        "what an unfinished run has brought is taken for the whole take",
        "apis/task_ref.py",
        'kept=row.outputs if row.state == "delivered" else (),',
        "kept=row.outputs[:1],",
        RESULTS,
    ),
    one(
        "all pictures of a task share one name",
        SOURCE_FOLLOWER,
        "return output_name(unique, place, output.kind, output.url)",
        "return output_name(unique, 0, output.kind, output.url)",
        RESULTS,
    ),
    one(
        "the fresh link is that of another picture",
        SOURCE_FOLLOWER,
        "return again.outputs[place].url",
        "return again.outputs[0].url",
        RESULTS,
    ),
    one(
        "the fresh link is taken from a shorter list, where it is that of another picture",
        SOURCE_FOLLOWER,
        "if len(again.outputs) < len(task.outputs):",
        "if len(again.outputs) <= place:",
        RESULTS,
    ),
    one(
        "a picture that Kling names no more is taken for one that it does",
        SOURCE_FOLLOWER,
        "complete = len(outputs) >= max(1, ref.named)",
        "complete = len(outputs) >= 1",
        RESULTS,
    ),
    one(
        "a picture that is here is fetched once more",
        SOURCE_FOLLOWER,
        "        if await in_own_thread(lambda: is_whole(target, task.outputs[place].kind, size)):\n"
        "            return\n",
        "",
        RESULTS,
        "tests/unit/test_recover.py",
    ),
    one(
        "the task of something else is written into the journal",
        SOURCE_FOLLOWER,
        "        if ref.row_id is not None:\n            await journal.call(\n"
        "                journal.succeeded,",
        "        if True:\n            await journal.call(\n                journal.succeeded,",
        RESULTS,
    ),
    one(
        "the task of something else counts as the take of another row",
        "apis/task_ref.py",
        "row_id: int | None = None",
        "row_id: int | None = 1",
        RESULTS,
    ),
)
