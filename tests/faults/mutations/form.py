"""What a mutation is, and the files that most of them are about."""

from __future__ import annotations

from dataclasses import dataclass

#: tests
PAID = "tests/unit/test_paid_task.py"
ELSEWHERE = "tests/unit/test_paid_elsewhere.py"
REFUSED = "tests/unit/test_refused_creates.py"
FOLLOWER = "tests/unit/test_follower.py"
TWO_DIALECTS = "tests/unit/test_two_dialects.py"
RESULTS = "tests/unit/test_results.py"
PLAN = "tests/unit/test_plan.py"
GUARD = "tests/unit/test_purchase_guard.py"
MONEY = "tests/unit/test_money_words.py"
ODD = "tests/unit/test_odd_answers.py"
COMFY = "tests/unit/test_comfy_org.py"
JOURNAL = "tests/unit/test_journal.py"
JOURNAL_FILE = "tests/unit/test_journal_file.py"
OUTPUTS = "tests/unit/test_journal_outputs.py"
JOURNAL_GUARD = "tests/unit/test_journal_guard.py"
JOURNAL_LOST = "tests/unit/test_journal_lost.py"
NETWORK_DRIVES = "tests/unit/test_network_drives.py"
WHO_PAYS = "tests/unit/test_who_pays.py"
SPENT_MONEY = "tests/unit/test_spent_money.py"
DEDUCTION = "tests/unit/test_deduction.py"
BILLED_FAILURES = "tests/unit/test_billed_failures.py"
EQUAL_TAKES = "tests/unit/test_equal_takes.py"
FORGOTTEN = "tests/unit/test_forgotten.py"
CLIENT = "tests/unit/test_client.py"
OUTCOMES = "tests/unit/test_outcomes.py"
INTERRUPT = "tests/unit/test_interrupt.py"
INTERRUPT_JOURNAL = "tests/unit/test_interrupt_journal.py"
DOWNLOAD = "tests/unit/test_download.py"
LINKS = "tests/unit/test_download_rules.py"
KINDS = "tests/unit/test_download_kinds.py"
NAMES = "tests/unit/test_download_names.py"
SETTINGS = "tests/unit/test_settings.py"
CREDENTIALS = "tests/unit/test_credentials.py"
HOST_GUARD = "tests/unit/test_host_guard.py"
NODES = "tests/unit/test_nodes_checks.py"
KILL = "tests/faults/test_kill.py"
KILL_IN_DOUBT = (
    f"{KILL}::test_a_kill_between_the_answer_and_the_journal_leaves_a_row_that_says_so",
    f"{KILL}::test_a_run_that_is_killed_at_any_point_is_paid_once_and_delivered_by_the_next[a first run]",
)

#: sources
SOURCE_PAID = "apis/paid_task.py"
SOURCE_SENDING = "apis/sending.py"
SOURCE_PLAN = "apis/plan.py"
SOURCE_SLOTS = "apis/slots.py"
SOURCE_STUDIO = "apis/studio.py"
SOURCE_LOOKUP = "apis/lookup.py"
SOURCE_FOLLOWER = "apis/follower.py"
SOURCE_JOURNAL = "apis/journal/record.py"
SOURCE_JOURNAL_FILE = "apis/journal/file.py"
SOURCE_CREATION = "apis/journal/creation.py"
SOURCE_IDENTITY = "apis/journal/identity.py"
SOURCE_NETWORK = "apis/journal/network.py"
SOURCE_ROWS = "apis/journal/rows.py"
SOURCE_SPENDING = "apis/journal/spending.py"
SOURCE_OUTCOMES = "apis/outcomes.py"
SOURCE_CLIENT = "apis/client.py"
SOURCE_DOWNLOAD = "apis/download/job.py"


@dataclass(frozen=True)
class Edit:
    """``old`` stands exactly once in ``file`` and becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A broken guard, what it would cost is in its ``name``."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def one(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, (Edit(file, old, new),), tests)
