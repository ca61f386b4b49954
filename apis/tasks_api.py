"""Creating, finding and following tasks at Kling, in whichever dialect.

Nothing here decides about money: each method is one exchange (or, for ``follow``, reads only), and its errors
say what the exchange came to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from . import errors
from .client import Connection, PollingOperation, SynchronousOperation
from .kling.dialects import Dialect
from .kling.endpoint import ApiEndpoint
from .kling.responses import COMPLETED, ENDED, FAILED, KlingTask
from .plan import Plan
from .polling import Schedule
from .redaction import MARK


class TasksApi:
    """The tasks of one account."""

    def __init__(self, connection: Connection) -> None:
        """Begin; ``connection`` says where and as whom."""
        self.connection = connection

    async def read(self, endpoint: ApiEndpoint[Any, Any], question: BaseModel | None = None) -> Any:
        """Ask once and return the parsed answer."""
        return await SynchronousOperation(endpoint, question, self.connection).execute()

    async def create(
        self, plan: Plan, external_task_id: str | None, headers: Mapping[str, str] | None = None
    ) -> KlingTask:
        """Buy, once. A reply that names no task is OutcomeUnknown: it may have been made."""
        body = plan.body(external_task_id)
        reply = await SynchronousOperation(plan.endpoint, body, self.connection, headers=headers).execute()
        try:
            task = _usable(plan.dialect.task(reply))
        except ValueError as error:
            raise errors.OutcomeUnknown(f"Kling accepted the request. {error}") from None
        if task is None:
            raise errors.OutcomeUnknown("Kling accepted the request and did not name the task.")
        return task

    async def find(self, dialect: Dialect, product: str, external_task_id: str) -> KlingTask | None:
        """Return the task under our id, or None where Kling says that it has none."""
        try:
            reply = await self.read(dialect.lookup(product, external_task_id))
        except errors.NotFound:
            return None
        return _task_of(dialect, reply, external_task_id)

    async def get(self, dialect: Dialect, product: str, task_id: str) -> KlingTask:
        """Return the task under Kling's id; raises NotFound."""
        return _exact_task(dialect, await self.read(dialect.query(product, task_id)), task_id)

    async def follow(
        self,
        dialect: Dialect,
        product: str,
        task_id: str,
        *,
        schedule: Schedule,
        elapsed: float,
        deadline: float,
        on_task: Callable[[KlingTask], None],
        on_trouble: Callable[[errors.ApiError], None],
    ) -> KlingTask:
        """Poll until the task has succeeded, and return it.

        Raises TaskFailed, TaskEnded, StillRunning after ``deadline`` seconds, NotFound and what a read can
        raise.
        """

        read: list[tuple[Any, KlingTask]] = []

        def task_in(reply: Any) -> KlingTask:
            # An answer is asked for its status, its message and its task, and read once.
            if not read or read[0][0] is not reply:
                read[:] = [(reply, _exact_task(dialect, reply, task_id))]
            return read[0][1]

        reply = await PollingOperation(
            dialect.query(product, task_id),
            self.connection,
            completed_statuses=COMPLETED,
            failed_statuses=FAILED,
            ended_statuses=ENDED,
            status_extractor=lambda reply: task_in(reply).status,
            failure_extractor=lambda reply: task_in(reply).message,
            schedule=schedule,
            elapsed=elapsed,
            deadline=deadline,
            on_answer=lambda reply: on_task(task_in(reply)),
            on_trouble=on_trouble,
            task_id=task_id,
        ).execute()
        return task_in(reply)


def _task_of(dialect: Dialect, reply: Any, wanted: str | None) -> KlingTask | None:
    try:
        return _usable(dialect.task(reply, wanted))
    except ValueError as error:
        raise errors.ApiError(str(error)) from None


def _usable(task: KlingTask | None) -> KlingTask | None:
    """Return the task; ValueError where a part of the key stood in its id.

    Such an id may not become an address, a file name or a row, and without that part it is another one's.
    """
    if task is not None and MARK in task.task_id:
        raise ValueError("Kling's answer names the task by an id with a part of your key in it.")
    return task


def _exact_task(dialect: Dialect, reply: Any, task_id: str) -> KlingTask:
    """Return the task of this id of Kling's: another one would be delivered in its place."""
    task = _task_of(dialect, reply, task_id)
    if task is None or task.task_id != task_id:
        raise errors.NotFound("Kling has no task under this id.", task_id=task_id)
    return task
