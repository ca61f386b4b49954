"""A task that exists at Kling: all that it takes to follow it to its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from .journal import KeptOutput, Row
from .kling.deduction import Deduction
from .kling.responses import KlingTask


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
    deduction: Deduction = field(default_factory=Deduction)
    #: US dollars that a unit of this product costs by the estimate, None where there is none
    usd_per_unit: float | None = None

    @staticmethod
    def of_task(task: KlingTask, product: str, dialect: str) -> TaskRef:
        """Return a task that Kling has shown and the journal knows nothing of."""
        return TaskRef(
            task_id=task.task_id,
            external_task_id=task.external_task_id,
            product=product,
            dialect=dialect,
            submitted_at=task.created_at,
        )

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
            deduction=row.deduction,
            usd_per_unit=(
                row.estimated_usd / row.estimated_units if row.estimated_usd and row.estimated_units else None
            ),
        )
