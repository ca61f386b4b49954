"""Guards of the comparison with Kling's own bill: what it must see, and what it must not make up."""

from __future__ import annotations

from .form import Mutation, one

AUDIT = "tests/unit/test_audit.py"
UNREADABLE = "tests/unit/test_audit_unreadable.py"
ACCOUNT = "tests/unit/test_account.py"
SOURCE = "apis/audit.py"
READS = "apis/account_reads.py"
BILLING = "apis/kling/billing.py"

MUTATIONS: tuple[Mutation, ...] = (
    one(
        "a task that is billed twice is not seen",
        SOURCE,
        "if task.lines > 1 and not _is_as_told(row, task)]",
        "if task.lines > 2 and not _is_as_told(row, task)]",
        AUDIT,
    ),
    one(
        "a price that two packs share counts as billed twice",
        SOURCE,
        "if task.lines > 1 and not _is_as_told(row, task)]",
        "if task.lines > 1]",
        AUDIT,
    ),
    one(
        "a currency that nobody named is held against the bill",
        SOURCE,
        'told.currency if row.dialect != "legacy" else ""',
        "told.currency",
        AUDIT,
    ),
    one(
        "a currency that Kling named is not compared",
        SOURCE,
        'told.currency if row.dialect != "legacy" else ""',
        '""',
        AUDIT,
    ),
    one(
        "two tasks that paid for one take are not seen",
        SOURCE,
        "if task.deduction and before != task.task_id:",
        "if not task.deduction and before != task.task_id:",
        AUDIT,
    ),
    one(
        "another amount than Kling told is not seen",
        SOURCE,
        "abs(first - (second or 0.0)) < ROUNDING",
        "first - (second or 0.0) < ROUNDING",
        AUDIT,
    ),
    one(
        "money of another currency counts as the same",
        SOURCE,
        "if told.cash and taken.cash and named and named != taken.currency:",
        "if told.cash and not taken.cash and named and named != taken.currency:",
        AUDIT,
    ),
    one(
        "a failed task that is billed without a word is not seen",
        SOURCE,
        'return task.lines == 1 and (row.state != "failed" or not taken)',
        "return task.lines == 1",
        AUDIT,
    ),
    one(
        "a paid take that the bill does not list is not seen",
        SOURCE,
        "            if row not in recent\n",
        "            if row in recent\n",
        AUDIT,
    ),
    one(
        "what another key paid for is missed in this one's bill",
        SOURCE,
        "row.account == account and row.payer == payer and not row.adopted",
        "row.account == account and not row.adopted",
        AUDIT,
    ),
    one(
        "what another computer paid for is missed in this one's time",
        SOURCE,
        "row.account == account and row.payer == payer and not row.adopted",
        "row.account == account and row.payer == payer",
        AUDIT,
    ),
    one(
        "what cost nothing is missed in the bill",
        SOURCE,
        "row.state in PAID_STATES and not _is_free(row.deduction)",
        "row.state in PAID_STATES",
        AUDIT,
    ),
    one(
        "takes of before the time in question are missed",
        SOURCE,
        "return paid and mine and row.prepared_at >= since + CLOCKS_DIFFER",
        "return paid and mine",
        AUDIT,
    ),
    one(
        "practice makes a billed task one of ours",
        "apis/journal/record.py",
        'FROM tasks WHERE practice = ? "  #',
        'FROM tasks WHERE practice <= 1 + ? "  #',
        AUDIT,
    ),
    one(
        "a take in doubt counts as somebody else's",
        SOURCE,
        "in_doubt=sum(row.account == account for row in waiting),",
        "in_doubt=0,",
        AUDIT,
    ),
    one(
        "a bill that could not be read agrees",
        SOURCE,
        "return not (self.problem or self.twice",
        "return not (self.twice",
        UNREADABLE,
    ),
    one(
        "only the first page of the bill is read",
        BILLING,
        "    if not reply.data.has_more:",
        "    if reply.data.has_more or not reply.data.has_more:",
        AUDIT,
    ),
    one(
        "a page that says nothing of the bill ends it in silence",
        BILLING,
        '        raise ValueError("Kling\'s answer says nothing about the bill.")',
        "        return None",
        UNREADABLE,
    ),
    one(
        "more deductions that are nowhere end the bill in silence",
        BILLING,
        '        raise ValueError("Kling speaks of more deductions and does not say where they are.")',
        "        return None",
        UNREADABLE,
    ),
    one(
        "pages that come round are read for ever",
        READS,
        "        asked.add(question)\n",
        "",
        UNREADABLE,
    ),
    one(
        "the money of the balance is not read",
        "apis/studio.py",
        "read_bill(context, billing.MONEY, since, now)",
        "read_bill(context, billing.UNITS, since, since + 1)",
        AUDIT,
    ),
    one(
        "questions about the account come faster than Kling allows",
        READS,
        "    _asked[key] = moment\n",
        "",
        AUDIT,
        ACCOUNT,
    ),
    one(
        "a question that comes in another computer's second is given up",
        READS,
        "    for _ in range(TRIES - 1):",
        "    for _ in range(0):",
        ACCOUNT,
    ),
)
