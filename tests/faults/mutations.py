"""Ways to break the pack's guards, each of which some test must notice. Data for ``mutants.py``.

A mutation replaces text that stands exactly once in its file. ``tests`` are what is run against it: whole
files or single tests. What costs money, a key or a paid video belongs here.
"""

from __future__ import annotations

from dataclasses import dataclass

PAID = "tests/unit/test_paid_task.py"
GUARD = "tests/unit/test_purchase_guard.py"
MONEY = "tests/unit/test_money_words.py"
ODD = "tests/unit/test_odd_answers.py"
COMFY = "tests/unit/test_comfy_org.py"
JOURNAL = "tests/unit/test_journal.py"
JOURNAL_FILE = "tests/unit/test_journal_file.py"
OUTPUTS = "tests/unit/test_journal_outputs.py"
JOURNAL_GUARD = "tests/unit/test_journal_guard.py"
CLIENT = "tests/unit/test_client.py"
OUTCOMES = "tests/unit/test_outcomes.py"
INTERRUPT = "tests/unit/test_interrupt.py"
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


def _one(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, (Edit(file, old, new),), tests)


_PAID = "apis/paid_task.py"
_LOOKUP = "apis/lookup.py"
_JOURNAL = "apis/journal/record.py"
_JOURNAL_FILE = "apis/journal/file.py"
_ROWS = "apis/journal/rows.py"
_SPENDING = "apis/journal/spending.py"
_OUTCOMES = "apis/outcomes.py"
_CLIENT = "apis/client.py"
_DOWNLOAD = "apis/download/job.py"

MUTATIONS: tuple[Mutation, ...] = (
    # -- the row before the money ----------------------------------------------------------------------
    _one(
        "the create leaves before its row is in the journal",
        _PAID,
        "        journal, now = self.studio.journal, self.studio.clock.time()\n        midnight",
        "        journal, now = self.studio.journal, self.studio.clock.time()\n"
        "        key = purchase.external_task_id\n"
        "        await self.studio.api.create(self.dialect, self.sent, self.spec, key)\n"
        "        midnight",
        PAID,
    ),
    Mutation(
        "the row is committed together with the answer",
        (
            Edit(
                _JOURNAL,
                "            return row_of(found)\n\n        return self._write(work)",
                "            return row_of(found)\n\n"
                "        with self._lock:\n            connection = self.open()\n"
                "            if not connection.in_transaction:\n"
                '                connection.execute("BEGIN IMMEDIATE")\n'
                "            return work(connection)",
            ),
            Edit(
                _JOURNAL_FILE,
                '                connection.execute("BEGIN IMMEDIATE")\n                try:\n',
                "                if not connection.in_transaction:\n"
                '                    connection.execute("BEGIN IMMEDIATE")\n                try:\n',
            ),
        ),
        KILL_IN_DOUBT,
    ),
    _one(
        "a power cut may lose the row",
        _JOURNAL_FILE,
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        JOURNAL_GUARD,
    ),
    _one(
        "the answer's task id is not written down before the waiting begins",
        _PAID,
        "            await journal.call(\n                journal.submitted, row.row_id, task.task_id, "
        "now=now, dialect=name, adopted=adopted\n            )\n",
        "",
        PAID,
        *KILL_IN_DOUBT,
    ),
    _one(
        "a row goes back to an earlier state",
        _JOURNAL,
        "WHERE row_id = ? AND state IN ({marks})",
        "WHERE row_id = ? AND (1 OR state IN ({marks}))",
        JOURNAL,
    ),
    _one(
        "a damaged list of results loses the take",
        _ROWS,
        "    except (ValueError, TypeError, KeyError, RecursionError):",
        "    except ZeroDivisionError:",
        OUTPUTS,
    ),
    _one(
        "a journal of a newer version is written to",
        _JOURNAL_FILE,
        "if version > known:",
        "if version > known + 1000:",
        JOURNAL_FILE,
    ),
    _one(
        "a corrupt journal is replaced by an empty one in silence",
        _JOURNAL_FILE,
        "                raise self._set_aside() from error\n            raise self._refusal",
        "                self._set_aside()\n                return self._checked()\n"
        "            raise self._refusal",
        JOURNAL_FILE,
    ),
    # -- one id for one purchase -----------------------------------------------------------------------
    _one(
        "a retry goes out under a fresh id",
        _PAID,
        "task = await self._create(row, external_id)",
        "task = await self._create(row, external_id and external_id[:-1] + str(send.doubts % 10))",
        PAID,
    ),
    _one(
        "a retry goes out under the next attempt's id",
        _PAID,
        "task = await self._create(row, external_id)",
        "task = await self._create(row, external_id and self._external_id(row.attempt + send.doubts))",
        PAID,
    ),
    _one(
        "an id that exists is answered with another id",
        _PAID,
        "                        existing, dialect = await self.lookup.find_existing(external_id, error)\n",
        "                        if external_id is not None:\n"
        "                            external_id = self._external_id(row.attempt + 1000)\n"
        "                            continue\n"
        "                        existing, dialect = await self.lookup.find_existing(external_id, error)\n",
        PAID,
    ),
    _one(
        "the take number is no part of the take",
        _PAID,
        "self.take = take_id(canonical(request), number)",
        "self.take = take_id(canonical(request), 0)",
        PAID,
    ),
    _one(
        "the attempt is no part of the id",
        "apis/take.py",
        'text = f"{take}:{attempt}:{scope}" if scope else f"{take}:{attempt}"',
        'text = f"{take}:{scope}" if scope else f"{take}"',
        PAID,
        "tests/unit/test_take.py",
    ),
    _one(
        "another hash version makes every paid take a new one",
        "apis/take.py",
        "HASH_VERSION = 1",
        "HASH_VERSION = 2",
        "tests/unit/test_take.py",
    ),
    _one(
        "a field that is not set is part of the take",
        "apis/kling/requests.py",
        "            value is None\n            or (name",
        "            False\n            or (name",
        "tests/unit/test_kling_requests.py",
        "tests/unit/test_take.py",
    ),
    _one(
        "a picture counts by its file and not by its pixels",
        "apis/media/pictures.py",
        "pixels_sha256=_hash(rgb)",
        "pixels_sha256=hashlib.sha256(data).hexdigest()",
        "tests/unit/test_pictures.py",
    ),
    _one(
        "two nodes with the same take do not wait for each other",
        _PAID,
        "async with lock, open_session():",
        "async with open_session():",
        PAID,
    ),
    # -- whose account ---------------------------------------------------------------------------------
    _one(
        "strangers on a gateway share an id",
        _PAID,
        'scope = settings.credential.fingerprint() if settings.shares_account else ""',
        'scope = ""',
        PAID,
    ),
    _one(
        "a gateway counts as the user's own account",
        "apis/settings.py",
        'return f"{place}#{credential.fingerprint()}", True',
        'return f"{place}#{credential.fingerprint()}", False',
        PAID,
        SETTINGS,
    ),
    _one(
        "the external id goes through the Comfy.org proxy",
        _PAID,
        'if settings.backend == "comfy_org":',
        'if settings.backend == "nowhere":',
        COMFY,
    ),
    _one(
        "a lost reply of the proxy is sent again in the same run",
        _PAID,
        "            raise await self._told(row, error.message, error.code) from None",
        "            return None",
        COMFY,
    ),
    _one(
        "a proxy create that was cut off is sent again without a word",
        _PAID,
        '            raise await self._told(row, "An earlier run of this take was cut off.")',
        "            return None",
        COMFY,
    ),
    _one(
        "two processes send one proxy create at once",
        _PAID,
        "if external_id is None and row.sends > 1 +",
        "if False and row.sends > 1 +",
        GUARD,
    ),
    _one(
        "a proxy create has no idempotency key",
        _PAID,
        'headers["Idempotency-Key"] = idempotency_key',
        'headers["X-Nothing"] = idempotency_key',
        COMFY,
    ),
    _one(
        "the idempotency key is made from the content alone",
        "apis/take.py",
        'f"{secret}:{take}:{attempt}"',
        'f"{take}:{attempt}"',
        COMFY,
        "tests/unit/test_take.py",
    ),
    _one(
        "a task with another id is adopted under /v1/",
        "apis/kling/legacy.py",
        "if wanted is not None and task.external_task_id is not None and wanted not in named:",
        "if False:",
        "tests/unit/test_kling_responses.py",
    ),
    _one(
        "a task with another id is adopted in the new standard",
        "apis/kling/standard.py",
        "            if wanted in (task.task_id, task.external_task_id):",
        "            if wanted:",
        "tests/unit/test_kling_responses.py",
    ),
    _one(
        "practice writes into the real journal",
        "apis/studio.py",
        'if settings.backend != "simulator":',
        'if settings.backend != "nowhere":',
        GUARD,
    ),
    # -- an outcome that is not known ------------------------------------------------------------------
    _one(
        "a lost reply is sent again without looking",
        _PAID,
        "for pause in self.studio.policy.lookup_delays:",
        "for pause in ():",
        GUARD,
    ),
    _one(
        "a run that was cut off is sent again without looking",
        _PAID,
        "            return await self.lookup.find(external_id)\n        if row.state",
        "            return None\n        if row.state",
        GUARD,
    ),
    _one(
        "a lookup that fails counts as not there",
        "apis/tasks_api.py",
        "        except errors.NotFound:\n            return None\n        return _task_of",
        "        except errors.ApiError:\n            return None\n        return _task_of",
        PAID,
        GUARD,
    ),
    _one(
        "every refused lookup counts as not there",
        "apis/kling/responses.py",
        'return code == PARAMETER_CODE and "not found by id" in message.lower()',
        "return code == PARAMETER_CODE",
        "tests/unit/test_kling_responses.py",
        OUTCOMES,
    ),
    _one(
        "a task that exists is not looked for where Kling words it otherwise",
        _LOOKUP,
        "if external_id is None or refusal.code != PARAMETER_CODE:",
        "if True:",
        GUARD,
    ),
    _one(
        "a refused lookup says what a refused create would",
        _LOOKUP,
        "if tries >= self.studio.policy.read_tries or not is_passing(error):\n",
        "if not is_passing(error):\n                    raise\n"
        "                if tries >= self.studio.policy.read_tries:\n",
        MONEY,
    ),
    _one(
        "a refusal after a lost reply says that nothing is paid",
        _PAID,
        'f" {_EARLIER_SEND} ',
        'f" {_NOTHING_PAID} {_EARLIER_SEND} ',
        MONEY,
    ),
    _one(
        "a record that fails after the purchase says that nothing is bought",
        _PAID,
        "        with already_bought(task.task_id, row.external_task_id):\n",
        "        if True:\n",
        MONEY,
    ),
    _one(
        "a doubt whose secret is gone is sent again under another key",
        _PAID,
        "idempotency_secret(resend=open_row is not None)",
        "idempotency_secret()",
        COMFY,
    ),
    _one(
        "the video of another task is delivered",
        "apis/tasks_api.py",
        "if task is None or task.task_id != task_id:",
        "if task is None:",
        ODD,
    ),
    _one(
        "two gateways with the same task id share a file",
        "apis/collect.py",
        'safe_name(f"{settings.account}/{task_id}" if settings.shares_account else task_id)',
        "safe_name(task_id)",
        ODD,
    ),
    _one(
        "a healthy journal of another process is set aside",
        _JOURNAL_FILE,
        "if self._opened is not None and self._identity() not in (None, self._opened):",
        "if False:",
        JOURNAL_FILE,
    ),
    _one(
        "a silent name server holds up the next prompt",
        "apis/transport/session.py",
        ", resolver=Resolver()",
        "",
        "tests/unit/test_dns.py",
    ),
    _one(
        "a doubt that a refusal follows is forgotten",
        _PAID,
        "            if send.doubts == 0:\n",
        "            if True:\n",
        GUARD,
    ),
    _one(
        "a doubt of an earlier run is forgotten",
        _PAID,
        "send = _Send(doubts=row.sends - 1)",
        "send = _Send(doubts=0)",
        GUARD,
    ),
    _one(
        "the user was told of a doubt, so it is one no more",
        _ROWS,
        'OPEN_STATES = ("prepared", "told")',
        'OPEN_STATES = ("prepared",)',
        COMFY,
        JOURNAL,
    ),
    _one(
        "a connection that broke in the middle counts as never delivered",
        _OUTCOMES,
        "    aiohttp.ClientConnectorError,\n",
        "    aiohttp.ClientOSError,\n",
        OUTCOMES,
    ),
    _one(
        "a timeout counts as never delivered",
        _OUTCOMES,
        "    aiohttp.ConnectionTimeoutError,\n",
        "    asyncio.TimeoutError,\n",
        OUTCOMES,
    ),
    _one(
        "a server error counts as never delivered",
        _OUTCOMES,
        'Outcome.UNKNOWN, errors.OutcomeUnknown, "The API, or something on the way to it, failed."',
        'Outcome.NEVER_DELIVERED, errors.NeverDelivered, "The API failed."',
        OUTCOMES,
    ),
    _one(
        "a conflict counts as refused",
        _OUTCOMES,
        '409: Meaning(Outcome.UNKNOWN, errors.OutcomeUnknown, "The API answered',
        '409: Meaning(Outcome.REFUSED, errors.Refused, "The API answered',
        OUTCOMES,
        COMFY,
    ),
    _one(
        "an answer without a code counts as a success",
        _OUTCOMES,
        "        if code == 0:\n",
        "        if not code:\n",
        OUTCOMES,
    ),
    _one(
        "an empty account is asked again and again",
        _OUTCOMES,
        "    1102: Meaning(\n        Outcome.REFUSED,\n        errors.AccountRefused,",
        "    1102: Meaning(\n        Outcome.PACED,\n        errors.Throttled,",
        PAID,
        OUTCOMES,
    ),
    _one(
        "a busy account is an error and not a queue",
        _OUTCOMES,
        '        Outcome.PACED, errors.Throttled, "Your Kling account already',
        '        Outcome.REFUSED, errors.Refused, "Your Kling account already',
        PAID,
        OUTCOMES,
    ),
    # -- a failed task ---------------------------------------------------------------------------------
    _one(
        "a failed task can never be tried again",
        _PAID,
        'row.attempt + (1 if row.state == "failed" else 0)',
        "row.attempt",
        PAID,
    ),
    _one(
        "a failed task is tried again by itself",
        "apis/studio.py",
        "            return await task.run()\n",
        "            try:\n                return await task.run()\n            except errors.TaskFailed:\n"
        "                return await PaidTask(self, request, take, files, status).run()\n",
        PAID,
    ),
    _one(
        "an unknown status is a failure, and a new attempt is bought",
        _CLIENT,
        "                if status in self.failed:",
        '                if status not in ("submitted", "processing"):',
        CLIENT,
    ),
    _one(
        "a task without a status under /v1/ counts as one that goes on",
        "apis/kling/responses.py",
        'status=_required(task.task_status, "status"),',
        'status=task.task_status or "submitted",',
        "tests/unit/test_kling_responses.py",
    ),
    _one(
        "an answer without a status ends in silence",
        _CLIENT,
        "                if status is None:\n",
        "                if status is None:\n                    return reply\n"
        "                if status is None:\n",
        CLIENT,
    ),
    _one(
        "the end of our waiting counts as a failed task, and a new attempt is bought",
        _CLIENT,
        "raise errors.StillRunning(",
        "raise errors.TaskFailed(",
        PAID,
        CLIENT,
    ),
    _one(
        "a poll that fails loses the paid task",
        _CLIENT,
        "                if not _is_passing(error, failures, age):\n",
        "                if not isinstance(error, errors.Throttled):\n",
        PAID,
    ),
    # -- the user's own limit --------------------------------------------------------------------------
    _one(
        "the daily limit counts what is spent and not what is asked for",
        _SPENDING,
        "if spent + price > limit + 1e-9:",
        "if spent > limit + 1e-9:",
        JOURNAL,
        PAID,
    ),
    _one(
        "collected takes count towards the daily limit",
        _SPENDING,
        "prepared_at >= ? AND adopted = 0 AND state NOT IN ('refused', 'failed')",
        "prepared_at >= ? AND state NOT IN ('refused', 'failed')",
        JOURNAL,
    ),
    _one(
        "what may have been bought does not count towards the daily limit",
        _SPENDING,
        "adopted = 0 AND state NOT IN ('refused', 'failed')\n",
        "adopted = 0 AND state NOT IN ('refused', 'failed', 'prepared', 'told')\n",
        JOURNAL,
    ),
    _one(
        "practice counts towards the daily limit",
        _SPENDING,
        "WHERE practice = ? AND prepared_at >= ?",
        "WHERE practice IN (?, 0, 1) AND prepared_at >= ?",
        JOURNAL,
        JOURNAL_GUARD,
    ),
    _one(
        "two processes both take the last of the daily limit",
        _JOURNAL,
        "        def work(connection: sqlite3.Connection) -> Row:\n"
        "            if limit_usd is not None:\n"
        "                spent = self._spent(connection, purchase, day_start)\n",
        "        spent = self._spent(self.open(), purchase, day_start)\n\n"
        "        def work(connection: sqlite3.Connection) -> Row:\n"
        "            if limit_usd is not None:\n",
        JOURNAL_GUARD,
    ),
    _one(
        "a purchase gives way to one that came between its sum and its row",
        _JOURNAL_FILE,
        '                connection.execute("BEGIN IMMEDIATE")\n                try:\n',
        '                connection.execute("BEGIN")\n                try:\n',
        JOURNAL_GUARD,
    ),
    _one(
        "the limit hides a take that is already paid for",
        _PAID,
        "found = await self.lookup.find(external_id) if external_id else None",
        "found = None",
        PAID,
    ),
    _one(
        "a task found in the other dialect is followed in this one",
        _PAID,
        "                            dialect=dialect,\n",
        "",
        PAID,
    ),
    # -- waiting ---------------------------------------------------------------------------------------
    _one(
        "a server makes us wait for days",
        "apis/polling.py",
        "return max(own, min(asked, ceiling))",
        "return max(own, asked)",
        "tests/unit/test_polling.py",
    ),
    _one(
        "an endless Retry-After gets through",
        _CLIENT,
        'return seconds if 0 <= seconds < float("inf") else None',
        "return seconds",
        CLIENT,
    ),
    # -- the key ---------------------------------------------------------------------------------------
    _one(
        "the key follows a redirect of the API",
        _CLIENT,
        "allow_redirects=False,",
        "allow_redirects=True,",
        CLIENT,
    ),
    Mutation(
        "the video is fetched with the key",
        (
            Edit(
                "apis/collect.py",
                "            async with open_session() as session:\n",
                "            async with open_session() as session:\n"
                "                key = self.studio.settings.credential.headers(self.studio.clock.time())\n"
                "                session.headers.update(key)\n",
            ),
            Edit(
                _DOWNLOAD,
                "            connector=session.connector,\n",
                "            connector=session.connector,\n            headers=session.headers,\n",
            ),
        ),
        (GUARD,),
    ),
    _one(
        "a credential shows itself",
        "apis/credentials.py",
        'return f"<{type(self).__name__} hidden>"',
        'return f"<{type(self).__name__} {self._content()}>"',
        CREDENTIALS,
    ),
    _one(
        "a network error shows the key",
        _CLIENT,
        "trouble = error_of_exception(error, connection.host)",
        "trouble = errors.OutcomeUnknown(f'{error!r} {headers}')",
        CLIENT,
    ),
    _one(
        "an address without https takes the key along",
        "apis/settings.py",
        'if parts.scheme == "http" and not is_loopback(parts.hostname):',
        "if False:",
        SETTINGS,
    ),
    # -- the video -------------------------------------------------------------------------------------
    _one(
        "half a video is taken for a whole one",
        _DOWNLOAD,
        "if answer.total is not None and part.size != answer.total:",
        "if False:",
        DOWNLOAD,
    ),
    _one(
        "the part has the video's name before it is whole",
        "apis/download/part_file.py",
        'self._part = target.with_name(target.name + ".part")',
        "self._part = target",
        DOWNLOAD,
    ),
    _one(
        "a download goes on without asking whether it is still the same video",
        _DOWNLOAD,
        '{"Range": f"bytes={offset}-", "If-Range": validator}',
        '{"Range": f"bytes={offset}-"}',
        DOWNLOAD,
    ),
    _one(
        "another part of the video is appended",
        "apis/download/head.py",
        "if not offset or start is None or int(start) != offset:",
        "if not offset or start is None:",
        DOWNLOAD,
        LINKS,
    ),
    _one(
        "another file is taken for the image or the sound",
        "apis/download/head.py",
        "return None if kind.signature.match(beginning) else",
        "return None if True else",
        KINDS,
    ),
    _one(
        "the second result of one task has the name of another task's first",
        "apis/download/names.py",
        "_RESERVED.fullmatch(task_id) or _NUMBERED.fullmatch(task_id)",
        "_RESERVED.fullmatch(task_id)",
        NAMES,
    ),
    _one(
        "a link without https is followed",
        "apis/download/link.py",
        'if parsed.scheme == "https" and host:',
        'if parsed.scheme in ("http", "https") and host:',
        LINKS,
    ),
    _one(
        "an id names a file outside the folder",
        "apis/download/names.py",
        "    if _PLAIN_ID.fullmatch(task_id) and not",
        "    if task_id and not",
        NAMES,
    ),
    # -- what leaves -----------------------------------------------------------------------------------
    _one(
        "a field that Kling does not know leaves, and a wrong video is billed",
        "apis/kling/schema.py",
        'extra="forbid"',
        'extra="allow"',
        "tests/unit/test_kling_dialects.py",
    ),
    _one(
        "several shots are Kling's default, and are left to it",
        "apis/kling/standard.py",
        '"multi_shot": bool(request.shots),',
        '"multi_shot": True if request.shots else None,',
        "tests/unit/test_kling_dialects.py",
        "tests/unit/test_kling_golden.py",
    ),
    _one(
        "a create is sent without being checked first",
        _PAID,
        "    if problems:\n",
        "    if problems and False:\n",
        GUARD,
        NODES,
    ),
    # -- cancel ----------------------------------------------------------------------------------------
    _one(
        "looking at the interrupt flag takes it down",
        "nodes/host.py",
        "    return bool(processing_interrupted())",
        "    up = bool(processing_interrupted())\n"
        "    from comfy.model_management import interrupt_current_processing\n\n"
        "    interrupt_current_processing(False)\n    return up",
        HOST_GUARD,
    ),
    _one(
        "the progress bar swallows a cancel",
        "nodes/host.py",
        "        interrupt_current_processing(True)",
        "        interrupt_current_processing(False)",
        HOST_GUARD,
    ),
    _one(
        "Cancel leaves the take running",
        "nodes/host.py",
        "            if interrupted():\n                task.cancel()\n",
        "            if interrupted():\n",
        HOST_GUARD,
    ),
    _one(
        "at a locked journal each cancelled node keeps the others waiting",
        _JOURNAL_FILE,
        "            await asyncio.wait({waiter}, timeout=CANCEL_PATIENCE)\n",
        "            time.sleep(0.5)\n",
        INTERRUPT,
    ),
    _one(
        "a cancelled caller gives up the commit of a paid id",
        _JOURNAL_FILE,
        "            await asyncio.wait({waiter}, timeout=CANCEL_PATIENCE)\n",
        "            if self._connection is not None:\n                self._connection.interrupt()\n"
        "                self._connection.close()\n",
        INTERRUPT,
    ),
    _one(
        "a cancelled download keeps the user waiting for the disk",
        "apis/download/part_file.py",
        "        if self._lock.acquire(blocking=False):\n",
        "        if self._lock.acquire():\n",
        INTERRUPT,
    ),
    _one(
        "a node that is cancelled stays in the line for a free slot",
        "apis/slots.py",
        "        finally:\n            self._line.remove(place)\n",
        "        except ValueError:\n            self._line.remove(place)\n        finally:\n",
        INTERRUPT,
        "tests/unit/test_slots.py",
    ),
)
