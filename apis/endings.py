"""How a task that exists can end other than well, in sentences that are true about money. Pure."""

from __future__ import annotations

from . import errors
from .kling.deduction import Deduction
from .task_ref import TaskRef

#: days that Kling keeps a result (Kling docs, 2026-09-20)
KEPT_DAYS = 30


def failed(reason: str, ref: TaskRef) -> errors.TaskFailed:
    """Return the error for a task that Kling could not make, and did not bill."""
    said = _said(reason)
    hint = (
        "Kling's content check stopped it: change the prompt or the picture"
        if "risk control" in said.lower()
        else "Change the prompt or the picture, or try again"
    )
    return errors.TaskFailed(
        f"Kling could not make this video: “{said}”. A failed task is not billed. "
        f"{hint}; queueing the same take again starts a new attempt.",
        task_id=ref.task_id,
        external_task_id=ref.external_task_id,
    )


def billed_failure(
    reason: str, deduction: Deduction, task_id: str | None, external_task_id: str | None
) -> errors.TaskFailed:
    """Return the error for a task that failed and was billed all the same: another number buys again."""
    return errors.TaskFailed(
        f"Kling could not make this take (“{_said(reason)}”), and deducted {deduction} for it all the same. "
        "So the same take is not bought again: choose another number for take to try once more, and ask "
        "Kling's support about the deduction, with the task's id.",
        task_id=task_id,
        external_task_id=external_task_id,
    )


def ended(word: str, ref: TaskRef) -> errors.TaskEnded:
    """Return the error for an end in a word of Kling's that we don't know."""
    return errors.TaskEnded(
        f"Kling says “{word[:40]}” of this task, an end that none of its documents has. Whether it was "
        "billed is not known: see the bill of the account that paid. Queue the same take again to ask once "
        "more, which buys nothing; another number for take buys another version.",
        task_id=ref.task_id,
        external_task_id=ref.external_task_id,
    )


def gone(task_id: str, why: str) -> errors.TaskGone:
    """Return the error for a task that is older than what Kling keeps."""
    return errors.TaskGone(
        f"This take was bought before, and its video can't be had now: {why}. Kling keeps videos for "
        f"{KEPT_DAYS} days. It is not bought again by itself: to make it anew, choose another number for "
        "take in the node that made it.",
        task_id=task_id,
    )


def unknown_here(ref: TaskRef) -> errors.NotFound:
    """Return the error for a task that Kling does not show under this key, and should still have."""
    return errors.NotFound(
        "Kling does not know the task under this key. If you changed the key or KLING_REGION since it was "
        "bought, change them back; then queue the same take again to collect it. Nothing is bought again.",
        task_id=ref.task_id,
        external_task_id=ref.external_task_id,
    )


def no_link_yet(ref: TaskRef) -> errors.DownloadFailed:
    """Return the error for a task that is made and whose results can't be fetched yet."""
    return errors.DownloadFailed(
        "Kling says that this take is made, and gives no link to it yet. It is paid for, and nothing more is "
        "paid: queue the same take again in some minutes to collect it.",
        task_id=ref.task_id,
        external_task_id=ref.external_task_id,
    )


def _said(reason: str) -> str:
    return " ".join(reason.split())[:300] or "no reason given"
