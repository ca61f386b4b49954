"""Guards of takes that are kept: whole, of this account, not thrown away and not called gone too early."""

from __future__ import annotations

from .form import SOURCE_FOLLOWER, SOURCE_PAID, Mutation, one

KEPT = "tests/unit/test_kept.py"
LATE = "tests/unit/test_links_late.py"
TWO_SERVERS = "tests/unit/test_two_servers.py"
OTHER_KEYS = "tests/unit/test_other_keys.py"
PART_FILE = "apis/download/part_file.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "two processes write into one part",
        PART_FILE,
        'return target.with_name(f"{target.name}.{_PROCESS}.part")',
        'return target.with_name(f"{target.name}.part")',
        TWO_SERVERS,
    ),
    one(
        "a part is measured by its descriptor and renamed by its path",
        PART_FILE,
        "if self._part.stat().st_size != self.size:",
        "if False:",
        TWO_SERVERS,
    ),
    one(
        "what does not open gets the name of the video",
        PART_FILE,
        "if not opens(self._part):",
        "if False:",
        TWO_SERVERS,
    ),
    one(
        "a video cut behind its index counts as whole",
        "apis/kept.py",
        "if _is_mp4(file) and not _has_all_boxes(file):",
        "if False:",
        KEPT,
    ),
    one(
        "a kept file of another length is handed out",
        "apis/kept.py",
        "return found > 0 and (size is None or found == size) and opens(path, kind)",
        "return found > 0 and opens(path, kind)",
        KEPT,
    ),
    one(
        "a video that a node was just given makes room",
        "apis/kept.py",
        "if size <= most_bytes or now - used_at < IN_USE:",
        "if size <= most_bytes:",
        KEPT,
    ),
    one(
        "a success without a link is not asked again",
        SOURCE_FOLLOWER,
        "while clock.monotonic() - began < LINK_PATIENCE:",
        "while False:",
        LATE,
    ),
    one(
        "a task of today is called gone",
        SOURCE_FOLLOWER,
        "return made_at is not None and self.context.clock.time() - made_at > endings.KEPT_DAYS * 86400",
        "return True",
        LATE,
    ),
    one(
        "the row of another key is trusted",
        SOURCE_PAID,
        "if row.payer == self.payer or row.external_task_id is None:",
        "if True:",
        OTHER_KEYS,
    ),
    one(
        "Recover trusts the row of another key",
        "apis/recover.py",
        "if wanted == row.task_id or row.payer == context.settings.credential.fingerprint():",
        "if True:",
        OTHER_KEYS,
    ),
    one(
        "the length of the journal is not asked for",
        SOURCE_FOLLOWER,
        "is_whole(path, kept.kind, kept.bytes) for",
        "is_whole(path, kept.kind) for",
        "tests/unit/test_follower.py",
    ),
)
