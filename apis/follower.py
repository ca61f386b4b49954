"""From a task that exists to its results on disk: wait, download, write down. Costs nothing, ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import endings, errors
from .context import Context
from .delivered import Delivered, DeliveredFile
from .download import KINDS, download, output_name
from .journal import KeptOutput
from .kept import is_whole, make_room, mark_used, opens
from .kling.dialects import DIALECTS
from .kling.responses import KlingTask, Output, Phase
from .outcomes import is_passing
from .polling import Schedule, expected_seconds
from .slots import Slot
from .status import Status
from .task_ref import TaskRef
from .transport import in_own_thread, open_session

#: seconds in which a finished task that names no result is asked again, and between two questions
LINK_PATIENCE = 120.0
LINK_PAUSE = 5.0
#: seconds that a task is expected to take on loopback, where a simulator answers much faster than Kling
LOCAL_WAIT = 6.0
#: HTTP statuses with which a CDN says that a link no longer works
LINK_IS_DEAD = (401, 403, 404, 410)


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

    def __init__(self, context: Context, files: Path, status: Status) -> None:
        """Begin; ``files`` is the folder for results."""
        self.context = context
        self.files = files
        self.status = status

    async def deliver(
        self,
        task: TaskRef,
        *,
        typical: float,
        collected: bool,
        slot: Slot | None = None,
    ) -> Delivered:
        """Return the results of a task that usually takes ``typical`` seconds.

        ``slot`` is what it takes of the account while it runs. The wait for Kling begins here, and lasts as
        long as the settings say. Raises TaskFailed, TaskEnded, StillRunning, TaskGone, NotFound and
        DownloadFailed, each with the task's id.
        """
        with already_bought(task.task_id, task.external_task_id):
            kept = await in_own_thread(lambda: self._kept(task))
            if kept is not None:
                self.status.show(
                    f"Collected, nothing paid: the {KINDS[kept.files[0].kind].noun} is still here"
                )
                return kept
            return await self._fetched(task, typical, collected, slot)

    def _kept(self, task: TaskRef) -> Delivered | None:
        """Return what an earlier run has brought here, if all of it is still there and whole."""
        paths = [self.files / kept.name for kept in task.kept]
        whole = [is_whole(path, kept.kind, kept.bytes) for path, kept in zip(paths, task.kept, strict=True)]
        if not paths or not all(whole):
            return None
        for path in paths:
            mark_used(path)
        return Delivered(
            files=tuple(
                DeliveredFile(kept.kind, path, kept.duration)
                for kept, path in zip(task.kept, paths, strict=True)
            ),
            task_id=task.task_id,
            external_task_id=task.external_task_id,
            collected=True,
            status=DIALECTS[task.dialect].finished,
            deduction=task.deduction,
        )

    async def _fetched(self, ref: TaskRef, typical: float, collected: bool, slot: Slot | None) -> Delivered:
        journal, clock = self.context.journal, self.context.clock
        earlier = await journal.call(journal.durations, self.context.settings.account, ref.timing_key)
        if self.context.on_this_computer:
            typical = min(typical, LOCAL_WAIT)
        task = await self._finished(ref, expected_seconds(earlier, typical), slot)
        finished = clock.time()
        if task.created_at is not None and task.updated_at is not None and ref.submitted_at is not None:
            # Kling's own times: a result collected a day later did not take a day to make.
            finished = ref.submitted_at + max(0.0, task.updated_at - task.created_at)
        outputs = self._outputs(task)
        # Names go by place: where Kling names fewer than before, no one knows which of them are left.
        complete = len(outputs) >= max(1, ref.named)
        if ref.row_id is not None:
            await journal.call(
                journal.succeeded,
                ref.row_id,
                now=finished,
                outputs=outputs if complete else [],
                **self._taken(ref, task),
            )
        if not complete:
            task = await self._with_links(ref, task, max(1, ref.named))
            outputs = self._outputs(task)
        for place in range(len(outputs)):
            target = self.files / outputs[place].name
            await self.fetch(ref, task, place, target)
            outputs[place] = replace(outputs[place], bytes=target.stat().st_size)
        if ref.row_id is not None:
            await journal.call(journal.delivered, ref.row_id, now=clock.time(), outputs=outputs)
        await in_own_thread(lambda: make_room(self.files, self.context.settings.keep_bytes))
        return Delivered(
            files=tuple(DeliveredFile(kept.kind, self.files / kept.name, kept.duration) for kept in outputs),
            task_id=task.task_id,
            external_task_id=ref.external_task_id,
            collected=collected,
            status=task.status,
            deduction=self.context.deduction_of(task),
        )

    def _outputs(self, task: KlingTask) -> list[KeptOutput]:
        return [
            KeptOutput(
                kind=output.kind, name=self._name(task.task_id, place, output), duration=output.duration
            )
            for place, output in enumerate(task.outputs)
        ]

    def _taken(self, ref: TaskRef, task: KlingTask) -> dict[str, Any]:
        """Return what Kling took for a task, as the journal writes it down."""
        deduction = self.context.deduction_of(task)
        per_unit = ref.usd_per_unit or self.context.table.usd_per_unit
        return {"deduction": deduction, "spent_usd": deduction.usd(per_unit)}

    async def _with_links(self, ref: TaskRef, task: KlingTask, wanted: int) -> KlingTask:
        """Return the task once it names all its results: a link may come some time after the success."""
        clock = self.context.clock
        began = clock.monotonic()
        while clock.monotonic() - began < LINK_PATIENCE:
            self.status.show("Made. Waiting for Kling to give the link")
            await clock.sleep(LINK_PAUSE)
            try:
                task = await self.context.api.get(DIALECTS[ref.dialect], ref.product, ref.task_id)
            except errors.ApiError as error:
                if not is_passing(error):
                    raise
                continue
            if len(task.outputs) >= wanted:
                return task
        if self._is_old(ref, task):
            raise endings.gone(task.task_id, "Kling no longer gives a link to it")
        raise endings.no_link_yet(ref)

    def _is_old(self, ref: TaskRef, task: KlingTask | None = None) -> bool:
        """Return whether a task is older than what Kling keeps."""
        made_at = ref.submitted_at
        if task is not None:
            made_at = task.updated_at or task.created_at or made_at
        return made_at is not None and self.context.clock.time() - made_at > endings.KEPT_DAYS * 86400

    def _name(self, task_id: str, place: int, output: Output) -> str:
        """Return a file name. Only Kling's own ids are one of a kind: two gateways may both have a 1."""
        settings = self.context.settings
        unique = f"{settings.account}/{task_id}" if settings.shares_account else task_id
        return output_name(unique, place, output.kind, output.url)

    async def fetch(self, ref: TaskRef, task: KlingTask, place: int, target: Path) -> None:
        """Download one result of a task to ``target``, asking Kling for a fresh link where one has expired.

        A file of that name that opens, and is as long as the journal says where it knows, is this task's: it
        got the name last. It is left alone: another node may be reading it, and Windows does not let go of a
        file that is read.
        """
        size = next((kept.bytes for kept in ref.kept if kept.name == target.name), None)
        if await in_own_thread(lambda: is_whole(target, task.outputs[place].kind, size)):
            return
        output = task.outputs[place]

        async def fresh_link() -> str:
            again = await self.context.api.get(DIALECTS[ref.dialect], ref.product, ref.task_id)
            if len(again.outputs) < len(task.outputs):
                again = await self._with_links(ref, again, len(task.outputs))
            return again.outputs[place].url

        of_all = f" {place + 1} of {len(task.outputs)}" if len(task.outputs) > 1 else ""

        def progress(done: int, whole: int | None) -> None:
            of = f" of {whole / 1e6:.1f}" if whole else ""
            self.status.show_soon(f"Downloading{of_all and f'{of_all}:'} {done / 1e6:.1f}{of} MB")

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
                    opens=lambda path: opens(path, output.kind),
                )
        except errors.DownloadFailed as error:
            if self._is_old(ref, task) and error.http_status in LINK_IS_DEAD:
                raise endings.gone(task.task_id, "its link no longer works") from None
            error.task_id = error.task_id or task.task_id
            raise
        except errors.NotFound:
            raise self._unknown_here(ref) from None
        except errors.ApiError as error:
            error.task_id, error.external_task_id = ref.task_id, ref.external_task_id
            error.message += " It is made and stays at Kling; queue the same take again to collect it."
            raise

    async def _finished(self, ref: TaskRef, expected: float, slot: Slot | None) -> KlingTask:
        clock, journal = self.context.clock, self.context.journal
        elapsed = max(0.0, clock.time() - (ref.submitted_at or clock.time()))
        self.status.expect(elapsed, expected)
        started_at: float | None = None
        seen: KlingTask | None = None
        if slot is not None and not ref.named:  # what has named results has ended
            slot.take()

        def on_task(task: KlingTask) -> None:
            nonlocal started_at, seen
            seen = task
            if task.phase is Phase.PROCESSING and started_at is None:
                started_at = clock.time()
            if slot is not None and task.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.ENDED):
                slot.free()
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
                deadline=self.context.settings.max_wait_seconds,
                on_task=on_task,
                on_trouble=on_trouble,
            )
        except errors.TaskFailed as error:
            raise await self._failed(ref, error.message, seen) from None
        except errors.TaskEnded as error:
            raise endings.ended(error.message, ref) from None
        except errors.NotFound:
            raise self._unknown_here(ref) from None
        except errors.ApiError as error:
            error.task_id = ref.task_id
            error.external_task_id = ref.external_task_id
            error.message += " The task itself goes on at Kling; queue the same take again to collect it."
            raise
        if started_at is not None and ref.row_id is not None:
            await journal.call(journal.started, ref.row_id, now=started_at)
        return task

    async def _failed(self, ref: TaskRef, reason: str, seen: KlingTask | None) -> errors.TaskFailed:
        """Write down that a task has failed, and return the error that says so."""
        taken = self._taken(ref, seen) if seen is not None else {}
        if ref.row_id is not None:
            journal = self.context.journal
            await journal.call(journal.failed, ref.row_id, reason, now=self.context.clock.time(), **taken)
        if taken.get("deduction"):
            return endings.billed_failure(reason, taken["deduction"], ref.task_id, ref.external_task_id)
        return endings.failed(reason, ref)

    def _unknown_here(self, ref: TaskRef) -> errors.KlingTakesError:
        """Return the error for a task that Kling does not show under this key."""
        if self._is_old(ref):
            return endings.gone(ref.task_id, "Kling does not show it any more")
        return endings.unknown_here(ref)


_WORDS = {
    Phase.SUBMITTED: "In Kling's queue",
    Phase.PROCESSING: "Kling is making the video",
    Phase.SUCCEEDED: "Made",
    Phase.FAILED: "Failed",
}
