"""Where a run can be killed: every statement that changes the journal, every step of a request, of a file.

This is the only place that knows about killing. It wraps what the pack calls, inside the process of one test
run; the pack itself has no switch for it. A point is a name and a count: ("create: headers sent", 2) is the
second time that a create's headers have left.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from kling_takes.apis.client import SynchronousOperation
from kling_takes.apis.download.part_file import PartFile
from kling_takes.apis.journal import Journal

Point = tuple[str, int]

WRITES = ("prepare", "submitted", "started", "succeeded", "delivered", "refused", "in_doubt", "failed")
PART_STEPS = ("open", "restart", "write", "finish")
CHANGES = ("BEGIN", "INSERT", "UPDATE", "COMMIT", "CREATE", "PRAGMA JOURNAL_MODE", "PRAGMA USER_VERSION =")


class Points:
    """Counts the points that a run passes, and kills this process at one of them."""

    def __init__(self, die_at: Point | None, log: Path | None) -> None:
        """``log`` gets a line for each point passed."""
        self._die_at = die_at
        self._log = None if log is None else log.open("a", encoding="utf-8", buffering=1)
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._statement_of = threading.local()

    def reach(self, name: str) -> None:
        """Note the point; where it is the one to die at, nothing after this line ever runs."""
        with self._lock:
            self._seen[name] += 1
            point = (name, self._seen[name])
            if self._log is not None:
                self._log.write(f"{point[0]}\t{point[1]}\n")
            if point == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    def install(self) -> None:
        """Wrap the journal, the client and the part file of this process."""
        for name in WRITES:
            self._name_statements_of(name)
        self._watch_statements()
        self._watch_requests()
        for name in PART_STEPS:
            self._around(PartFile, name, f"part {name}")
        self._around(Path, "replace", "rename")
        self._around(os, "fsync", "fsync")

    def _around(self, owner: Any, name: str, label: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **named: Any) -> Any:
            self.reach(f"{label}: before")
            result = original(*args, **named)
            self.reach(f"{label}: after")
            return result

        setattr(owner, name, wrapped)

    def _name_statements_of(self, name: str) -> None:
        original = getattr(Journal, name)

        def wrapped(journal: Journal, *args: Any, **named: Any) -> Any:
            self._statement_of.name = name
            try:
                return original(journal, *args, **named)
            finally:
                self._statement_of.name = None

        setattr(Journal, name, wrapped)

    def _watch_statements(self) -> None:
        points, connect = self, sqlite3.connect

        class Watched(sqlite3.Connection):
            def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
                words = " ".join(statement.split()).upper()
                change = next((known for known in CHANGES if words.startswith(known)), None)
                if change is None:
                    return super().execute(statement, *values)
                label = f"journal {getattr(points._statement_of, 'name', None) or 'open'}: {change}"
                points.reach(f"{label}: before")
                cursor = super().execute(statement, *values)
                points.reach(f"{label}: after")
                return cursor

        sqlite3.connect = lambda *args, **named: connect(*args, factory=Watched, **named)  # type: ignore[assignment, misc]  # a stand-in with fewer overloads

    def _watch_requests(self) -> None:
        begin, execute = aiohttp.ClientSession.__init__, SynchronousOperation.execute

        def watched(session: aiohttp.ClientSession, *args: Any, **named: Any) -> None:
            begin(session, *args, trace_configs=[self._trace()], **named)

        async def understood(operation: SynchronousOperation[Any, Any]) -> Any:
            reply = await execute(operation)
            self.reach(f"{operation.endpoint.method.value}: answer understood")
            return reply

        aiohttp.ClientSession.__init__ = watched  # type: ignore[method-assign]  # this process is for nothing else
        SynchronousOperation.execute = understood  # type: ignore[method-assign]  # the same

    def _trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()

        async def start(_session: Any, context: SimpleNamespace, told: Any) -> None:
            context.operation = operation_of(told.method, told.url.path)
            self.reach(f"{context.operation}: about to start")

        def step(label: str) -> Any:
            async def reach(_session: Any, context: SimpleNamespace, _told: Any) -> None:
                self.reach(f"{context.operation}: {label}")

            return reach

        trace.on_request_start.append(start)
        trace.on_connection_create_end.append(step("connected"))
        trace.on_request_headers_sent.append(step("headers sent"))
        trace.on_request_chunk_sent.append(step("body sent"))
        trace.on_request_end.append(step("answer begun"))
        return trace


def operation_of(method: str, path: str) -> str:
    """Name a request as the simulator does: create, lookup, query or download."""
    if method == "POST":
        return "create"
    if not path.startswith("/v1/"):
        return "download"
    return "lookup" if path.rpartition("/")[2].startswith("kt-") else "query"
