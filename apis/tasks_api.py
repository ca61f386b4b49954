"""Creating, finding and following tasks at Kling, in whichever dialect.

Nothing here decides about money: each method is one exchange (or, for ``follow``, reads only), and its errors
say what the exchange came to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from . import errors
from .client import ApiEndpoint, Connection, HttpMethod, PollingOperation, SynchronousOperation
from .kling.calls import Call
from .kling.legacy import LegacyDialect
from .kling.models import ModelSpec
from .kling.requests import VideoRequest
from .kling.responses import KlingTask
from .kling.standard import StandardDialect
from .polling import Schedule

#: Both spellings: "succeed" under /v1/, "succeeded" in the new standard (Kling docs, 2026-09-20).
COMPLETED = ("succeed", "succeeded")
FAILED = ("failed",)


#: One of the two generations of Kling's API.
Dialect = LegacyDialect | StandardDialect


class TasksApi:
    """The tasks of one account."""

    def __init__(self, connection: Connection) -> None:
        """``connection`` says where and as whom."""
        self.connection = connection

    async def exchange(self, call: Call[Any], headers: Mapping[str, str] | None = None) -> Any:
        """Send a call once and give its parsed answer."""
        return await SynchronousOperation(
            _endpoint(call), call.body, self.connection, headers=headers
        ).execute()

    async def create(
        self,
        dialect: Dialect,
        request: VideoRequest,
        spec: ModelSpec,
        external_task_id: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> KlingTask:
        """Buy, once. A reply that names no task is OutcomeUnknown: it may have been made."""
        reply = await self.exchange(dialect.create(request, spec, external_task_id), headers)
        try:
            task = dialect.task(reply)
        except ValueError as error:
            raise errors.OutcomeUnknown(f"Kling accepted the request. {error}") from None
        if task is None:
            raise errors.OutcomeUnknown("Kling accepted the request and did not name the task.")
        return task

    async def find(self, dialect: Dialect, product: str, external_task_id: str) -> KlingTask | None:
        """The task under our id, or None where Kling says that it has none."""
        try:
            reply = await self.exchange(dialect.lookup(product, external_task_id))
        except errors.NotFound:
            return None
        return _task_of(dialect, reply, external_task_id)

    async def get(self, dialect: Dialect, product: str, task_id: str) -> KlingTask:
        """The task under Kling's id; raises NotFound."""
        return _very_task(dialect, await self.exchange(dialect.query(product, task_id)), task_id)

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
        """Poll until the task has succeeded.

        Raises TaskFailed, StillRunning after ``deadline`` seconds, NotFound and what a read can raise.
        """

        def task_in(reply: Any) -> KlingTask:
            return _very_task(dialect, reply, task_id)

        reply = await PollingOperation(
            _endpoint(dialect.query(product, task_id)),
            self.connection,
            completed_statuses=COMPLETED,
            failed_statuses=FAILED,
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


def _endpoint(call: Call[Any]) -> ApiEndpoint[BaseModel, Any]:
    body = call.body
    return ApiEndpoint(
        call.path,
        HttpMethod(call.method),
        None if body is None else type(body),
        call.response_model,
        call.query,
    )


def _task_of(dialect: Dialect, reply: Any, wanted: str | None) -> KlingTask | None:
    try:
        return dialect.task(reply, wanted)
    except ValueError as error:
        raise errors.ApiError(str(error)) from None


def _very_task(dialect: Dialect, reply: Any, task_id: str) -> KlingTask:
    """The task that was asked for by Kling's id: another one's video would be delivered in its place."""
    task = _task_of(dialect, reply, task_id)
    if task is None or task.task_id != task_id:
        raise errors.NotFound("Kling has no task under this id.", task_id=task_id)
    return task
