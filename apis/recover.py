"""Finding a task by its id alone: bought by this pack elsewhere, or by something else."""

from __future__ import annotations

from . import errors
from .context import Context
from .ids import problem_of_id
from .kling.dialects import DIALECTS
from .kling.products import legacy_paths
from .kling.responses import KlingTask
from .task_ref import TaskRef


async def find_task(context: Context, some_id: str, product: str | None) -> TaskRef:
    """Return any task of the account by Kling's id or by our own.

    ``product`` is a name of ``legacy_paths``, or None to look everywhere. Raises InvalidInput for what
    can't be an id, NotFound where Kling has no such task, and what a read can raise.
    """
    if problem := problem_of_id(some_id):
        raise errors.InvalidInput(problem, widget="task_id")
    wanted = some_id.strip()
    row = await context.journal.call(context.journal.find_task, context.settings.account, wanted)
    if row is not None and row.task_id is not None:
        task = TaskRef.of_row(row)
        if wanted == row.task_id or row.payer == context.settings.credential.fingerprint():
            return task
        # Another key wrote the row: this one may have a task of its own under our id.
        return await _under_this_key(context, task, wanted) or task
    found = await _anywhere(context, wanted, product)
    if found is None:
        raise errors.NotFound(
            f"Kling has no task {wanted} under this key. Check the id, KLING_REGION and that the key "
            "is of the account that bought it; Kling keeps tasks for 30 days.",
        )
    kling_task, where, dialect = found
    return TaskRef.of_task(kling_task, where, dialect)


async def _under_this_key(context: Context, task: TaskRef, wanted: str) -> TaskRef | None:
    """Return the task that the present key has under an id of ours, where it is another one."""
    try:
        own = await context.api.find(DIALECTS[task.dialect], task.product, wanted)
    except errors.ApiError:
        return None
    return (
        None
        if own is None or own.task_id == task.task_id
        else TaskRef.of_task(own, task.product, task.dialect)
    )


async def _anywhere(context: Context, wanted: str, product: str | None) -> tuple[KlingTask, str, str] | None:
    """Return the task, its product and the dialect that finds it."""
    legacy, standard = DIALECTS["legacy"], DIALECTS["standard"]
    places = (product,) if product else tuple(legacy_paths())
    trouble: errors.ApiError | None = None
    for place in places:
        try:
            # The legacy address takes Kling's id and ours alike.
            task = await context.api.find(legacy, place, wanted)
        except errors.AuthenticationFailed:
            raise
        except errors.RequestRefused:
            continue  # this host does not serve that product
        except errors.ApiError as error:
            trouble = error
            continue
        if task is not None:
            return task, place, legacy.name
    if standard.takes(context.settings.credential.kind):
        try:
            task = await context.api.find(standard, places[0], wanted)
            task = task or await context.api.get(standard, places[0], wanted)
            return task, places[0], standard.name
        except errors.NotFound:
            pass
        except errors.ApiError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return None
