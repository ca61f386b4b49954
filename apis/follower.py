"""From a task that exists to its results on disk: wait, download, write down. Costs nothing, ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import errors
from .context import Context
from .download import KINDS, download, output_name
from .journal import KeptOutput
from .kling.dialects import DIALECTS
from .kling.responses import KlingTask, Output, OutputKind, Phase
from .polling import Schedule, expected_seconds
from .slots import SlotQueue
from .status import Status
from .task_ref import TaskRef
from .transport import open_session

#: days that Kling keeps a result (Kling docs, 2026-09-20)
KEPT_DAYS = 30
#: seconds that a task is expected to take on loopback, where a simulator answers much faster than Kling
LOCAL_WAIT = 6.0
#: HTTP statuses with which a CDN says that a link no longer works
LINK_IS_DEAD = (401, 403, 404, 410)


@dataclass(frozen=True)
class DeliveredFile:
    """One result that has arrived; ``duration`` in seconds as Kling says it, empty for a picture."""

    kind: OutputKind
    path: Path
    duration: str = ""


@dataclass(frozen=True)
class Delivered:
    """A take whose results have all arrived."""

    files: tuple[DeliveredFile, ...]
    task_id: str
    external_task_id: str | None
    #: True where this run paid nothing for it
    collected: bool
    #: Kling's own word for a finished task, which each dialect spells its way
    status: str
    deducted_units: float | None

    def of_kind(self, kind: OutputKind) -> tuple[DeliveredFile, ...]:
        """Return the results of one kind, in Kling's order."""
        return tuple(file for file in self.files if file.kind == kind)

    @property
    def duration(self) -> str:
        """The length of the first result that has one, in seconds as Kling says it."""
        return next((file.duration for file in self.files if file.duration), "")

    @property
    def receipt(self) -> str:
        """What the take cost, or that nothing was paid, as the last line for its user."""
        what = f"{_trimmed(self.duration)} s of video, task {self.task_id}."
        if self.collected:
            return f"Collected, nothing paid: {what}"
        if self.deducted_units is None:
            return f"Delivered: {what}"
        return f"Delivered: {what} Kling deducted {self.deducted_units:g} units."


def _trimmed(seconds: str) -> str:
    """Return Kling's "5.000" as "5"; anything that is not a number as it is."""
    try:
        return f"{float(seconds):g}"
    except ValueError:
        return seconds or "?"


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
    """Follows one task to its end and fetches its results."""

    def __init__(self, context: Context, files: Path, status: Status, queue: SlotQueue | None = None) -> None:
        """Begin; ``files`` is the folder for results, ``queue`` who is to hear that a slot is free."""
        self.context = context
        self.files = files
        self.status = status
        self.queue = queue

    async def deliver(self, task: TaskRef, *, typical: float, deadline: float, collected: bool) -> Delivered:
        """Return the results of a task; ``typical`` and ``deadline`` in seconds.

        Raises TaskFailed, StillRunning, TaskGone and DownloadFailed, each with the task's id.
        """
        with already_bought(task.task_id, task.external_task_id):
            return self._kept(task) or await self._fetched(task, typical, deadline, collected)

    def _kept(self, task: TaskRef) -> Delivered | None:
        """Return what an earlier run has brought here, if all of it is still there."""
        paths = [self.files / kept.name for kept in task.kept]
        if not paths or not all(path.is_file() for path in paths):
            return None
        self.status.show(f"Collected, nothing paid: the {KINDS[task.kept[0].kind].noun} is still here")
        return Delivered(
            files=tuple(
                DeliveredFile(kept.kind, path, kept.duration)
                for kept, path in zip(task.kept, paths, strict=True)
            ),
            task_id=task.task_id,
            external_task_id=task.external_task_id,
            collected=True,
            status=DIALECTS[task.dialect].finished,
            deducted_units=task.deducted_units,
        )

    async def _fetched(self, ref: TaskRef, typical: float, deadline: float, collected: bool) -> Delivered:
        journal, clock = self.context.journal, self.context.clock
        earlier = await journal.call(journal.durations, self.context.settings.account, ref.timing_key)
        if self.context.on_this_computer:
            typical = min(typical, LOCAL_WAIT)
        task = await self._finished(ref, expected_seconds(earlier, typical), deadline)
        finished = clock.time()
        if task.created_at is not None and task.updated_at is not None and ref.submitted_at is not None:
            # Kling's own times: a result collected a day later did not take a day to make.
            finished = ref.submitted_at + max(0.0, task.updated_at - task.created_at)
        outputs = [
            KeptOutput(
                kind=output.kind, name=self._name(task.task_id, place, output), duration=output.duration
            )
            for place, output in enumerate(task.outputs)
        ]
        # Names go by place: where Kling names fewer than before, no one knows which of them are left.
        complete = len(outputs) >= max(1, ref.named)
        if ref.row_id is not None:
            await journal.call(
                journal.succeeded,
                ref.row_id,
                now=finished,
                outputs=outputs if complete else [],
                deducted_units=task.deducted_units,
            )
        if not complete:
            raise _gone(task.task_id, "Kling no longer gives a link to it")
        for place in range(len(outputs)):
            target = self.files / outputs[place].name
            await self.fetch(ref, task, place, target)
            outputs[place] = replace(outputs[place], bytes=target.stat().st_size)
        if ref.row_id is not None:
            await journal.call(journal.delivered, ref.row_id, now=clock.time(), outputs=outputs)
        return Delivered(
            files=tuple(DeliveredFile(kept.kind, self.files / kept.name, kept.duration) for kept in outputs),
            task_id=task.task_id,
            external_task_id=ref.external_task_id,
            collected=collected,
            status=task.status,
            deducted_units=task.deducted_units,
        )

    def _name(self, task_id: str, place: int, output: Output) -> str:
        """Return a file name. Only Kling's own ids are one of a kind: two gateways may both have a 1."""
        settings = self.context.settings
        unique = f"{settings.account}/{task_id}" if settings.shares_account else task_id
        return output_name(unique, place, output.kind, output.url)

    async def fetch(self, ref: TaskRef, task: KlingTask, place: int, target: Path) -> None:
        """Download one result of a task to ``target``, asking Kling for a fresh link where one has expired.

        A file of that name is whole and this task's, because it got the name last. It is left alone: another
        node may be reading it, and Windows does not let go of a file that is read.
        """
        if target.is_file():  # noqa: ASYNC240 - one stat
            return
        output = task.outputs[place]

        async def fresh_link() -> str:
            again = await self.context.api.get(DIALECTS[ref.dialect], ref.product, ref.task_id)
            if len(again.outputs) != len(task.outputs):
                raise _gone(ref.task_id, "Kling no longer gives a link to it")
            return again.outputs[place].url

        of_all = f" {place + 1} of {len(task.outputs)}" if len(task.outputs) > 1 else ""

        def progress(done: int, whole: int | None) -> None:
            of = f" of {whole / 1e6:.1f}" if whole else ""
            self.status.show(f"Downloading{of_all and f'{of_all}:'} {done / 1e6:.1f}{of} MB")

        self.status.show(f"Downloading{of_all}")
        try:
            async with open_session() as session:
                await download(
                    session,
                    output.url,
                    target,
                    kind=output.kind,
                    refresh=fresh_link,
                    api_is_loopback=self.context.on_this_computer,
                    progress=progress,
                    sleep=self.context.clock.sleep,
                )
        except errors.DownloadFailed as error:
            made_at = task.updated_at or task.created_at
            old = made_at is not None and self.context.clock.time() - made_at > KEPT_DAYS * 86400
            if old and error.http_status in LINK_IS_DEAD:
                raise _gone(task.task_id, "its link no longer works") from None
            error.task_id = error.task_id or task.task_id
            raise
        except errors.NotFound:
            raise _gone(ref.task_id, _NOT_KNOWN) from None
        except errors.ApiError as error:
            error.task_id, error.external_task_id = ref.task_id, ref.external_task_id
            error.message += " It is made and stays at Kling; queue the same take again to collect it."
            raise

    async def _finished(self, ref: TaskRef, expected: float, deadline: float) -> KlingTask:
        clock, journal = self.context.clock, self.context.journal
        elapsed = max(0.0, clock.time() - (ref.submitted_at or clock.time()))
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
        policy = self.context.policy
        try:
            task = await self.context.api.follow(
                DIALECTS[ref.dialect],
                ref.product,
                ref.task_id,
                schedule=Schedule(expected, policy.poll_floor, policy.poll_ceiling),
                elapsed=elapsed,
                deadline=deadline,
                on_task=on_task,
                on_trouble=on_trouble,
            )
        except errors.TaskFailed as error:
            if ref.row_id is not None:
                await journal.call(journal.failed, ref.row_id, error.message, now=clock.time())
            self._slot_is_free()
            raise _failed(error.message, ref) from None
        except errors.NotFound:
            raise _gone(ref.task_id, _NOT_KNOWN) from None
        except errors.ApiError as error:
            error.task_id = ref.task_id
            error.external_task_id = ref.external_task_id
            error.message += " The task itself goes on at Kling; queue the same take again to collect it."
            raise
        self._slot_is_free()
        if started_at is not None and ref.row_id is not None:
            await journal.call(journal.started, ref.row_id, now=started_at)
        return task

    def _slot_is_free(self) -> None:
        if self.queue is not None:
            self.queue.freed()


_WORDS = {
    Phase.SUBMITTED: "In Kling's queue",
    Phase.PROCESSING: "Kling is making the video",
    Phase.SUCCEEDED: "Made",
    Phase.FAILED: "Failed",
}


_NOT_KNOWN = (
    "Kling does not know the task under this key. If you changed the key or KLING_REGION since it was "
    "bought, change them back"
)


def _failed(reason: str, ref: TaskRef) -> errors.TaskFailed:
    said = " ".join(reason.split())[:300]
    hint = (
        "Kling's content check stopped it: change the prompt or the picture"
        if "risk control" in said.lower()
        else "Change the prompt or the picture, or try again"
    )
    return errors.TaskFailed(
        f"Kling could not make this video: “{said or 'no reason given'}”. A failed task is not billed. "
        f"{hint}; queueing the same take again starts a new attempt.",
        task_id=ref.task_id,
        external_task_id=ref.external_task_id,
    )


def _gone(task_id: str, why: str) -> errors.TaskGone:
    return errors.TaskGone(
        f"This take was bought before, and its video can't be had now: {why}. Kling keeps videos for "
        f"{KEPT_DAYS} days. It is not bought again by itself: to make it anew, choose another number for "
        "take in the node that made it.",
        task_id=task_id,
    )
