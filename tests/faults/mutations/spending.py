"""Guards of what is bought again: after a failure, beyond the user's limit, and while waiting."""

from __future__ import annotations

from .form import (
    CLIENT,
    ELSEWHERE,
    FOLLOWER,
    JOURNAL,
    JOURNAL_GUARD,
    REFUSED,
    SOURCE_CLIENT,
    SOURCE_JOURNAL,
    SOURCE_JOURNAL_FILE,
    SOURCE_PAID,
    SOURCE_SPENDING,
    TWO_DIALECTS,
    Edit,
    Mutation,
    one,
)

MUTATIONS: tuple[Mutation, ...] = (
    # -- a failed task -------------------------------------------------------------------------------------
    one(
        "a failed task can never be tried again",
        SOURCE_PAID,
        'row.attempt + (1 if row.state == "failed" else 0)',
        "row.attempt",
        FOLLOWER,
    ),
    one(
        "a failed task is tried again by itself",
        "apis/studio.py",
        "        return await self.take_in_turn(\n            plan.model",
        "        with suppress(errors.TaskFailed):\n"
        "            return await self.take_in_turn(plan.model, made, files=files, reporter=reporter)\n"
        "        return await self.take_in_turn(\n            plan.model",
        FOLLOWER,
    ),
    one(
        "an unknown status is a failure, and a new attempt is bought",
        SOURCE_CLIENT,
        "                if status in self.failed:",
        '                if status not in ("submitted", "processing"):',
        CLIENT,
    ),
    one(
        "a task without a status under /v1/ counts as one that goes on",
        "apis/kling/responses.py",
        'status=_required(task.task_status, "status"),',
        'status=task.task_status or "submitted",',
        "tests/unit/test_kling_responses.py",
    ),
    one(
        "an answer without a status ends in silence",
        SOURCE_CLIENT,
        "                if status is None:\n",
        "                if status is None:\n                    return reply\n"
        "                if status is None:\n",
        CLIENT,
    ),
    one(
        "the end of our waiting counts as a failed task, and a new attempt is bought",
        SOURCE_CLIENT,
        "raise errors.StillRunning(",
        "raise errors.TaskFailed(",
        FOLLOWER,
        CLIENT,
    ),
    one(
        "a poll that fails loses the paid task",
        SOURCE_CLIENT,
        "                if not _is_passing(error, failures, age):\n",
        "                if not isinstance(error, errors.Throttled):\n",
        FOLLOWER,
    ),
    # -- the user's own limit ------------------------------------------------------------------------------
    one(
        "the daily limit counts what is spent and not what is asked for",
        SOURCE_SPENDING,
        "if spent + price > limit + 1e-9:",
        "if spent > limit + 1e-9:",
        JOURNAL,
        REFUSED,
    ),
    one(
        "collected takes count towards the daily limit",
        SOURCE_SPENDING,
        "prepared_at >= ? AND adopted = 0\n",
        "prepared_at >= ?\n",
        JOURNAL,
    ),
    one(
        "what may have been bought does not count towards the daily limit",
        SOURCE_SPENDING,
        "(state NOT IN ('refused', 'failed')\n",
        "(state NOT IN ('refused', 'failed', 'prepared', 'told')\n",
        JOURNAL,
    ),
    one(
        "practice counts towards the daily limit",
        SOURCE_SPENDING,
        "WHERE practice = ? AND prepared_at >= ?",
        "WHERE practice IN (?, 0, 1) AND prepared_at >= ?",
        JOURNAL,
        JOURNAL_GUARD,
    ),
    Mutation(
        "two processes both take the last of the daily limit",
        (
            Edit(
                SOURCE_JOURNAL,
                "        def work(connection: sqlite3.Connection) -> Row:\n            before",
                "        spent = self._spent(self.open(), purchase, day_start)\n\n"
                "        def work(connection: sqlite3.Connection) -> Row:\n            before",
            ),
            Edit(
                SOURCE_JOURNAL,
                "                    spent = self._spent(connection, purchase, day_start)\n",
                "",
            ),
        ),
        (JOURNAL_GUARD,),
    ),
    one(
        "a purchase gives way to one that came between its sum and its row",
        SOURCE_JOURNAL_FILE,
        '                connection.execute("BEGIN IMMEDIATE")\n                try:\n',
        '                connection.execute("BEGIN")\n                try:\n',
        JOURNAL_GUARD,
    ),
    one(
        "the limit hides a take that is already paid for",
        SOURCE_PAID,
        "found = await self.lookup.find(external_id) if external_id else None",
        "found = None",
        ELSEWHERE,
    ),
    one(
        "a task found in the other dialect is followed in this one",
        SOURCE_PAID,
        "adopted=sent.adopted, dialect=sent.dialect\n",
        "adopted=sent.adopted\n",
        TWO_DIALECTS,
    ),
    # -- waiting -------------------------------------------------------------------------------------------
    one(
        "a server makes us wait for days",
        "apis/polling.py",
        "return max(own, min(asked, RETRY_AFTER_CEILING))",
        "return max(own, asked)",
        "tests/unit/test_polling.py",
    ),
    one(
        "an endless Retry-After gets through",
        "apis/answer.py",
        'return seconds if 0 <= seconds < float("inf") else None',
        "return seconds",
        CLIENT,
    ),
)
