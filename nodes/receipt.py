"""The last line on a node: what its take cost, or that nothing was paid."""

from __future__ import annotations

from ..apis.follower import Delivered


def closing_text(delivered: Delivered) -> str:
    """Return it."""
    what = f"{_trimmed(delivered.duration)} s of video, task {delivered.task_id}."
    if delivered.collected:
        return f"Collected, nothing paid: {what}"
    if delivered.deducted_units is None:
        return f"Delivered: {what}"
    return f"Delivered: {what} Kling deducted {delivered.deducted_units:g} units."


def _trimmed(seconds: str) -> str:
    """Return Kling's "5.000" as "5"; anything that is not a number as it is."""
    try:
        return f"{float(seconds):g}"
    except ValueError:
        return seconds or "?"
