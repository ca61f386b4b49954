"""Guards of what leaves, of the key, and of Cancel."""

from __future__ import annotations

from .form import (
    CLIENT,
    CREDENTIALS,
    GUARD,
    HOST_GUARD,
    INTERRUPT,
    INTERRUPT_JOURNAL,
    NODES,
    PLAN,
    SETTINGS,
    SOURCE_CLIENT,
    SOURCE_DOWNLOAD,
    SOURCE_FOLLOWER,
    SOURCE_JOURNAL_FILE,
    Edit,
    Mutation,
    one,
)

MUTATIONS: tuple[Mutation, ...] = (
    # -- the key -------------------------------------------------------------------------------------------
    one(
        "the key follows a redirect of the API",
        SOURCE_CLIENT,
        "allow_redirects=False,",
        "allow_redirects=True,",
        CLIENT,
    ),
    Mutation(
        "the video is fetched with the key",
        (
            Edit(
                SOURCE_FOLLOWER,
                "            async with open_session() as session:\n",
                "            async with open_session() as session:\n"
                "                key = self.context.settings.credential.headers(self.context.clock.time())\n"
                "                session.headers.update(key)\n",
            ),
            Edit(
                SOURCE_DOWNLOAD,
                "            connector=session.connector,\n",
                "            connector=session.connector,\n            headers=session.headers,\n",
            ),
        ),
        (GUARD,),
    ),
    one(
        "a credential shows itself",
        "apis/credentials.py",
        'return f"<{type(self).__name__} hidden>"',
        'return f"<{type(self).__name__} {self._content()}>"',
        CREDENTIALS,
    ),
    one(
        "a network error shows the key",
        SOURCE_CLIENT,
        "return error_of_exception(error, connection.host)",
        "return errors.OutcomeUnknown(f'{error!r} {headers}')",
        CLIENT,
    ),
    one(
        "an address without https takes the key along",
        "apis/settings.py",
        'if parts.scheme == "http" and not is_loopback(parts.hostname):',
        "if False:",
        SETTINGS,
    ),
    # -- what leaves ---------------------------------------------------------------------------------------
    one(
        "a field that Kling does not know leaves, and a wrong video is billed",
        "apis/kling/schema.py",
        'extra="forbid"',
        'extra="allow"',
        "tests/unit/test_kling_dialects.py",
    ),
    one(
        "several shots are Kling's default, and are left to it",
        "apis/kling/products/video_bodies.py",
        '"multi_shot": bool(request.shots),',
        '"multi_shot": True if request.shots else None,',
        "tests/unit/test_kling_dialects.py",
        "tests/unit/test_kling_golden.py",
    ),
    one(
        "a create is sent without being checked first",
        "apis/plan.py",
        "    errors.refuse(product.problems(draft, table, dialect.name))\n",
        "    product.problems(draft, table, dialect.name)\n",
        GUARD,
        PLAN,
        NODES,
    ),
    # -- cancel --------------------------------------------------------------------------------------------
    one(
        "looking at the interrupt flag takes it down",
        "nodes/host.py",
        "    return await unless(processing_interrupted, work, InterruptProcessingException)",
        "    from comfy.model_management import interrupt_current_processing\n\n"
        "    def look() -> bool:\n        up = bool(processing_interrupted())\n"
        "        interrupt_current_processing(False)\n        return up\n\n"
        "    return await unless(look, work, InterruptProcessingException)",
        HOST_GUARD,
    ),
    one(
        "the progress bar swallows a cancel",
        "nodes/host.py",
        "        interrupt_current_processing(True)",
        "        interrupt_current_processing(False)",
        HOST_GUARD,
    ),
    one(
        "Cancel leaves the take running",
        "apis/cancelling.py",
        "            if cancelled():\n                task.cancel()\n",
        "            if cancelled():\n",
        HOST_GUARD,
    ),
    one(
        "at a locked journal each cancelled node keeps the others waiting",
        SOURCE_JOURNAL_FILE,
        "            await asyncio.wait({waiter}, timeout=CANCEL_PATIENCE)\n",
        "            time.sleep(0.5)\n",
        INTERRUPT_JOURNAL,
    ),
    one(
        "a cancelled caller gives up the commit of a paid id",
        SOURCE_JOURNAL_FILE,
        "            await asyncio.wait({waiter}, timeout=CANCEL_PATIENCE)\n",
        "            if self._connection is not None:\n                self._connection.interrupt()\n"
        "                self._connection.close()\n",
        INTERRUPT_JOURNAL,
    ),
    one(
        "a cancelled download keeps the user waiting for the disk",
        "apis/download/part_file.py",
        "        if self._lock.acquire(blocking=False):\n",
        "        if self._lock.acquire():\n",
        INTERRUPT,
    ),
)
