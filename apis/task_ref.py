"""A task that exists at Kling: all that it takes to follow it to its end."""

from __future__ import annotations

from dataclasses import dataclass

from .journal import KeptOutput, Row


@dataclass(frozen=True)
class TaskRef:
    """Which task, where it is found, and its row in the journal where it has one."""

    task_id: str
    external_task_id: str | None
    #: Kling's name of the product, and the dialect that finds it
    product: str
    dialect: str
    #: Unix seconds, None where it is not known
    submitted_at: float | None = None
    #: None for a task that something else has bought: nothing is written down about it
    row_id: int | None = None
    #: tasks of equal keys take equally long; empty where nothing is known
    timing_key: str = ""
    #: how many results Kling has named before
    named: int = 0
    #: what an earlier run has brought to the disk, whole
    kept: tuple[KeptOutput, ...] = ()
    deducted_units: float | None = None

    @staticmethod
    def of_row(row: Row) -> TaskRef:
        """Return the task of a row; ValueError where it has none yet."""
        if row.task_id is None:
            raise ValueError("a row without a task id has no task")
        return TaskRef(
            task_id=row.task_id,
            external_task_id=row.external_task_id,
            product=row.product,
            dialect=row.dialect,
            submitted_at=row.submitted_at,
            row_id=row.row_id,
            timing_key=row.kind,
            named=len(row.outputs),
            kept=row.outputs if row.state == "delivered" else (),
            deducted_units=row.deducted_units,
        )
