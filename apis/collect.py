"""From a task that exists to a video on disk: wait, download, write down. Costs nothing, ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import errors
from .download import download
from .download.names import safe_name
from .journal import KeptOutput, Row
from .kling import dialects
from .kling.responses import KlingTask, Phase
from .polling import Schedule, expected_seconds
from .slots import SlotLine
from .status import Status
from .transport import open_session

if TYPE_CHECKING:
    from .studio import Studio

#: days that Kling keeps a video (Kling docs, 2026-09-20)
KEPT_DAYS = 30
#: seconds that a task is expected to take on loopback, where a simulator answers much faster than Kling
LOCAL_WAIT = 6.0
#: HTTP statuses with which a CDN says that a link no longer works
LINK_IS_DEAD = (401, 403, 404, 410)
#: each dialect's word for a finished task (Kling docs, 2026-09-20)
_FINISHED = {"legacy": "succeed", "standard": "succeeded"}


@dataclass(frozen=True)
class Delivered:
    """A video that has arrived."""

    path: Path
    task_id: str
    external_task_id: str | None
    #: seconds of video, as Kling says it
    duration: str
    #: True where this run paid nothing for it
    collected: bool
    #: Kling's own word for a finished task, which each dialect spells its way
    status: str
    deducted_units: float | None


@contextmanager
def already_bought(task_id: str, external_task_id: str | None) -> Iterator[None]:
    """Within the block a JournalError says that the task exists: what it says of buying comes too late."""
    try:
        yield
    except errors.JournalError as error:
        error.task_id, error.external_task_id = task_id, external_task_id
        error.message = (
            f"This take is bought already, and how it stands could not be written down. {error.message} "
            "Nothing is lost: the same take again, or Kling Recover a Take with the task's id, collects it."
        )
        raise


class Follower:
    """Follows one task to its end and fetches its video."""

    def __init__(self, studio: Studio, files: Path, status: Status, line: SlotLine | None = None) -> None:
        """``files``: the folder for videos; ``line``: who to tell that a slot is free."""
        self.studio = studio
        self.files = files
        self.status = status
        self.line = line

    async def deliver(self, row: Row, *, typical: float, deadline: float, collected: bool) -> Delivered:
        """The video of a row that has a task id; ``typical`` and ``deadline`` in seconds.

        Raises TaskFailed, StillRunning, TaskGone and DownloadFailed, each with the task's id.
        """
        if row.task_id is None:
            raise ValueError("a row without a task id has nothing to deliver")
        with already_bought(row.task_id, row.external_task_id):
            return await self._deliver(row, row.task_id, typical, deadline, collected)

    async def _deliver(
        self, row: Row, task_id: str, typical: float, deadline: float, collected: bool
    ) -> Delivered:
        target = self.files / self._name(task_id)
        journal, clock = self.studio.journal, self.studio.clock
        if row.state == "delivered" and target.is_file():
            self.status.show("Collected, nothing paid: the video is still here")
            return Delivered(
                path=target,
                task_id=task_id,
                external_task_id=row.external_task_id,
                duration=row.duration or "",
                collected=True,
                status=_FINISHED[row.dialect],
                deducted_units=row.deducted_units,
            )
        earlier = await journal.call(journal.durations, row.account, row.kind)
        if self.studio.on_this_computer:
            typical = min(typical, LOCAL_WAIT)
        task = await self._finished(row, task_id, expected_seconds(earlier, typical), deadline)
        finished = clock.time()
        if task.created_at is not None and task.updated_at is not None and row.submitted_at is not None:
            # Kling's own times: a video collected a day later did not take a day to make.
            finished = row.submitted_at + max(0.0, task.updated_at - task.created_at)
        duration = task.videos[0].duration if task.videos else ""
        await journal.call(
            journal.succeeded,
            row.row_id,
            now=finished,
            outputs=(KeptOutput("video", target.name, duration),),
            deducted_units=task.deducted_units,
        )
        await self.fetch(task, row.product, row.dialect, target)
        await journal.call(journal.delivered, row.row_id, now=clock.time())
        return Delivered(
            path=target,
            task_id=task_id,
            external_task_id=row.external_task_id,
            duration=duration,
            collected=collected,
            status=task.status,
            deducted_units=task.deducted_units,
        )

    def _name(self, task_id: str) -> str:
        """The video's file name. Only Kling's own ids are one of a kind: two gateways may both have a 1."""
        settings = self.studio.settings
        return safe_name(f"{settings.account}/{task_id}" if settings.shares_account else task_id)

    async def fetch(self, task: KlingTask, product: str, dialect_name: str, target: Path) -> None:
        """Download the task's video to ``target``, asking Kling for a fresh link where one has expired.

        A file of that name is whole and this task's, because it got the name last. It is left alone: another
        node may be reading it, and Windows does not let go of a file that is read.
        """
        if target.is_file():  # noqa: ASYNC240 - one stat
            return
        if not task.videos:
            raise _gone(task.task_id, "Kling no longer gives a link to it")
        dialect = dialects.by_name(dialect_name)

        async def fresh_link() -> str:
            again = await self.studio.api.get(dialect, product, task.task_id)
            if not again.videos:
                raise _gone(task.task_id, "Kling no longer gives a link to it")
            return again.videos[0].url

        def progress(done: int, whole: int | None) -> None:
            of = f" of {whole / 1e6:.1f}" if whole else ""
            self.status.show(f"Downloading {done / 1e6:.1f}{of} MB")

        self.status.show("Downloading")
        try:
            async with open_session() as session:
                await download(
                    session,
                    task.videos[0].url,
                    target,
                    refresh=fresh_link,
                    api_is_loopback=self.studio.on_this_computer,
                    progress=progress,
                    sleep=self.studio.clock.sleep,
                )
        except errors.DownloadFailed as error:
            made_at = task.updated_at or task.created_at
            old = made_at is not None and self.studio.clock.time() - made_at > KEPT_DAYS * 86400
            if old and error.http_status in LINK_IS_DEAD:
                raise _gone(task.task_id, "its link no longer works") from None
            error.task_id = error.task_id or task.task_id
            raise

    async def _finished(self, row: Row, task_id: str, expected: float, deadline: float) -> KlingTask:
        clock, journal = self.studio.clock, self.studio.journal
        elapsed = max(0.0, clock.time() - (row.submitted_at or clock.time()))
        self.status.expect(elapsed, expected)
        started_at: float | None = None

        def on_task(task: KlingTask) -> None:
            nonlocal started_at
            if task.phase is Phase.PROCESSING and started_at is None:
                started_at = clock.time()
            self.status.show(_WORDS.get(task.phase, f"Kling says “{task.status[:40]}”"))

        def on_trouble(_error: errors.ApiError) -> None:
            self.status.show("Kling can't be reached just now. The task goes on, asking again")

        self.status.show(_WORDS[Phase.SUBMITTED])
        try:
            task = await self.studio.api.follow(
                dialects.by_name(row.dialect),
                row.product,
                task_id,
                schedule=Schedule(expected, self.studio.policy.poll_floor, self.studio.policy.poll_ceiling),
                elapsed=elapsed,
                deadline=deadline,
                on_task=on_task,
                on_trouble=on_trouble,
            )
        except errors.TaskFailed as error:
            await journal.call(journal.failed, row.row_id, error.message, now=clock.time())
            self._slot_is_free()
            raise _failed(error.message, row) from None
        except errors.NotFound:
            raise _gone(
                task_id,
                "Kling does not know the task under this key. If you changed the key or KLING_REGION since "
                "it was bought, change them back",
            ) from None
        except errors.ApiError as error:
            error.task_id = task_id
            error.external_task_id = row.external_task_id
            error.message += " The task itself goes on at Kling; queue the same take again to collect it."
            raise
        self._slot_is_free()
        if started_at is not None:
            await journal.call(journal.started, row.row_id, now=started_at)
        return task

    def _slot_is_free(self) -> None:
        if self.line is not None:
            self.line.freed()


_WORDS = {
    Phase.SUBMITTED: "In Kling's queue",
    Phase.PROCESSING: "Kling is making the video",
    Phase.SUCCEEDED: "Made",
    Phase.FAILED: "Failed",
}


def _failed(reason: str, row: Row) -> errors.TaskFailed:
    said = " ".join(reason.split())[:300]
    hint = (
        "Kling's content check stopped it: change the prompt or the picture"
        if "risk control" in said.lower()
        else "Change the prompt or the picture, or try again"
    )
    return errors.TaskFailed(
        f"Kling could not make this video: “{said or 'no reason given'}”. A failed task is not billed. "
        f"{hint}; queueing the same take again starts a new attempt.",
        task_id=row.task_id,
        external_task_id=row.external_task_id,
    )


def _gone(task_id: str, why: str) -> errors.TaskGone:
    return errors.TaskGone(
        f"This take was bought before, and its video can't be had now: {why}. Kling keeps videos for "
        f"{KEPT_DAYS} days. It is not bought again by itself: to make it anew, choose another number for "
        "take in the node that made it.",
        task_id=task_id,
    )
