"""Guards of the purchase itself: the row before the money, one id for it, and whose account pays."""

from __future__ import annotations

from .form import (
    COMFY,
    ELSEWHERE,
    GUARD,
    JOURNAL,
    JOURNAL_FILE,
    JOURNAL_GUARD,
    KILL_IN_DOUBT,
    OUTPUTS,
    PAID,
    SETTINGS,
    SOURCE_CREATION,
    SOURCE_JOURNAL,
    SOURCE_JOURNAL_FILE,
    SOURCE_PAID,
    SOURCE_PLAN,
    SOURCE_ROWS,
    SOURCE_SENDING,
    SOURCE_STUDIO,
    Edit,
    Mutation,
    one,
)

MUTATIONS: tuple[Mutation, ...] = (
    # -- the row before the money --------------------------------------------------------------------------
    one(
        "the create leaves before its row is in the journal",
        SOURCE_PAID,
        "        journal, now = self.context.journal, self.context.clock.time()\n        midnight",
        "        journal, now = self.context.journal, self.context.clock.time()\n"
        "        key = purchase.external_task_id\n"
        "        await self.context.api.create(self.plan, key)\n"
        "        midnight",
        PAID,
    ),
    Mutation(
        "the row is committed together with the answer",
        (
            Edit(
                SOURCE_JOURNAL,
                "            return row_of(connection.execute(of_this, own).fetchone())\n\n"
                "        return self._write(work)",
                "            return row_of(connection.execute(of_this, own).fetchone())\n\n"
                "        with self._lock:\n            connection = self.open()\n"
                "            if not connection.in_transaction:\n"
                '                connection.execute("BEGIN IMMEDIATE")\n'
                "            return work(connection)",
            ),
            Edit(
                SOURCE_JOURNAL_FILE,
                '                connection.execute("BEGIN IMMEDIATE")\n                try:\n',
                "                if not connection.in_transaction:\n"
                '                    connection.execute("BEGIN IMMEDIATE")\n                try:\n',
            ),
        ),
        KILL_IN_DOUBT,
    ),
    one(
        "a power cut may lose the row",
        SOURCE_JOURNAL_FILE,
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        JOURNAL_GUARD,
    ),
    one(
        "the answer's task id is not written down before the waiting begins",
        SOURCE_PAID,
        "                journal.submitted,\n",
        "                lambda *_, **__: None,\n",
        PAID,
        *KILL_IN_DOUBT,
    ),
    one(
        "a row goes back to an earlier state",
        SOURCE_JOURNAL,
        "WHERE row_id = ? AND state IN ({_marks(states)})",
        "WHERE row_id = ? AND (1 OR state IN ({_marks(states)}))",
        JOURNAL,
    ),
    one(
        "a damaged list of results loses the take",
        SOURCE_ROWS,
        "    except (ValueError, TypeError, KeyError, RecursionError):",
        "    except ZeroDivisionError:",
        OUTPUTS,
    ),
    one(
        "a journal of a newer version is written to",
        SOURCE_CREATION,
        "if version > known:",
        "if version > known + 1000:",
        JOURNAL_FILE,
    ),
    one(
        "a corrupt journal is replaced by an empty one in silence",
        SOURCE_JOURNAL_FILE,
        "                raise self._set_aside() from error\n            raise self._refusal",
        "                self._set_aside()\n                return self._checked()\n"
        "            raise self._refusal",
        JOURNAL_FILE,
    ),
    # -- one id for one purchase ---------------------------------------------------------------------------
    one(
        "a retry goes out under a fresh id",
        SOURCE_SENDING,
        "create(self._plan, self._id, self._headers)",
        "create(self._plan, self._id and self._id[:-1] + str(self._doubts % 10), self._headers)",
        PAID,
    ),
    one(
        "a run in doubt goes on under the next attempt's id",
        SOURCE_PAID,
        "        sending = Sending(",
        "        create, tried = type(self.context.api).create, []\n\n"
        "        async def next_one(plan, _id, headers):\n"
        "            tried.append(1)\n"
        "            own = self._external_id(row.attempt + len(tried) - 1)\n"
        "            return await create(self.context.api, plan, own, headers)\n\n"
        "        self.context.api.create = next_one\n"
        "        sending = Sending(",
        PAID,
        GUARD,
    ),
    one(
        "an id that exists is answered with another id",
        SOURCE_SENDING,
        "                return await self._existing(error)\n",
        "                if self._id is None:\n"
        "                    return await self._existing(error)\n"
        '                self._id = self._id[:-4] + "beef"\n',
        PAID,
    ),
    one(
        "the take number is no part of the take",
        SOURCE_PLAN,
        "for each in (whole_number, number)",
        "for each in (0,)",
        PAID,
    ),
    one(
        "the attempt is no part of the id",
        "apis/take.py",
        'text = f"{take}:{attempt}:{scope}" if scope else f"{take}:{attempt}"',
        'text = f"{take}:{scope}" if scope else f"{take}"',
        PAID,
        "tests/unit/test_take.py",
    ),
    one(
        "another hash version makes every paid take a new one",
        "apis/take.py",
        "HASH_VERSION = 1",
        "HASH_VERSION = 2",
        "tests/unit/test_take.py",
    ),
    one(
        "a field that is not set is part of the take",
        "apis/kling/products/base.py",
        "if value is None or value == () or (name not in",
        "if (name not in",
        "tests/unit/test_kling_requests.py",
        "tests/unit/test_take.py",
    ),
    one(
        "a picture counts by its file and not by its pixels",
        "apis/media/pictures.py",
        "pixels_sha256=_hash(rgb)",
        "pixels_sha256=hashlib.sha256(data).hexdigest()",
        "tests/unit/test_pictures.py",
    ),
    one(
        "two nodes with the same take do not wait for each other",
        SOURCE_STUDIO,
        "lock, typical = take_lock(account, plan.take), plan.typical_seconds",
        "lock, typical = type(take_lock(account, plan.take))(), plan.typical_seconds",
        "tests/unit/test_lists.py::test_a_twin_that_waits_for_its_take_holds_no_place_and_no_picture",
    ),
    # -- whose account -------------------------------------------------------------------------------------
    one(
        "strangers on a gateway share an id",
        SOURCE_PAID,
        'scope = settings.credential.fingerprint() if settings.shares_account else ""',
        'scope = ""',
        ELSEWHERE,
    ),
    one(
        "a gateway counts as the user's own account",
        "apis/settings.py",
        'return f"{place}#{credential.fingerprint()}", True',
        'return f"{place}#{credential.fingerprint()}", False',
        ELSEWHERE,
        SETTINGS,
    ),
    one(
        "the external id goes through the Comfy.org proxy",
        SOURCE_PAID,
        'if settings.backend == "comfy_org":',
        'if settings.backend == "nowhere":',
        COMFY,
    ),
    one(
        "a lost reply of the proxy is sent again in the same run",
        SOURCE_SENDING,
        "raise await in_doubt(self._context, self._status, self._row, error.message, error.code) from None",
        "return None",
        COMFY,
    ),
    one(
        "a proxy create that was cut off is sent again without a word",
        SOURCE_PAID,
        'raise await in_doubt(self.context, self.status, row, "An earlier run of this take was cut off.")',
        "return None",
        COMFY,
    ),
    one(
        "two processes send one proxy create at once",
        SOURCE_PAID,
        "if external_id is None and row.sends > 1 +",
        "if False and row.sends > 1 +",
        COMFY,
    ),
    one(
        "a proxy create has no idempotency key",
        SOURCE_SENDING,
        '{"Idempotency-Key": idempotency_key}',
        '{"X-Nothing": idempotency_key}',
        COMFY,
    ),
    one(
        "the idempotency key is made from the content alone",
        "apis/take.py",
        'f"{secret}:{take}:{attempt}"',
        'f"{take}:{attempt}"',
        COMFY,
        "tests/unit/test_take.py",
    ),
    one(
        "a task with another id is adopted under /v1/",
        "apis/kling/dialects/legacy.py",
        "if wanted is not None and task.external_task_id is not None and wanted not in named:",
        "if False:",
        "tests/unit/test_kling_responses.py",
    ),
    one(
        "a task with another id is adopted in the new standard",
        "apis/kling/dialects/standard.py",
        "            if wanted in (str(record.id), record.external_id):",
        "            if wanted:",
        "tests/unit/test_kling_responses.py",
    ),
    one(
        "practice writes into the real journal",
        "apis/studio.py",
        'if settings.backend != "simulator":',
        'if settings.backend != "nowhere":',
        GUARD,
    ),
)
