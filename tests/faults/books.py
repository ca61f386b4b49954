"""The books of a world's Kling: the simulator's own, and whose create made which task."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kling_takes.simulator.faults import Fault
from kling_takes.simulator.order import Order
from kling_takes.simulator.state import State
from kling_takes.simulator.task import Ending, SimTask
from kling_takes.tests.faults.scenario import ENDS

if TYPE_CHECKING:
    from kling_takes.tests.faults.world import World

#: the create that the server is answering
create_of: contextvars.ContextVar[Create | None] = contextvars.ContextVar("create", default=None)


@dataclass
class Create:
    """What the server saw of one create: who, under which idempotency key, and what it came to."""

    owner: str
    home: str
    key: str | None
    prompt: str | None = None
    external_id: str | None = None
    task: SimTask | None = None
    http: int | None = None
    #: units that the pack had to expect
    estimate: float = 0.0

    @property
    def surely_nothing(self) -> bool:
        """Whether the server has said that it made nothing."""
        return self.task is None and self.http in (400, 401, 402, 403, 404, 409, 429)


class Books(State):
    """The simulator's state, which also writes down whose create made which task."""

    def __init__(self, world: World, **knobs: Any) -> None:
        super().__init__(**knobs)
        self.world = world
        #: how the next tasks end: names of ``ENDS``
        self.dooms: list[str] = []
        #: units that are deducted for one that was estimated
        self.rate = 1.0

    def take_fault(self, operation: str) -> Fault | None:
        fault = super().take_fault(operation)
        if fault is not None:
            self.world.rig.counts[f"{operation}: {fault.kind}"] += 1
        return fault

    def accept(
        self, order: Order, *, account: str, dialect: str, body: Any = None, owner: str = ""
    ) -> SimTask:
        create = create_of.get()
        assert create is not None
        create.prompt, create.external_id = order.prompt, order.external_task_id
        task = super().accept(order, account=account, dialect=dialect, body=body, owner=owner)
        create.task, create.estimate = task, task.price_units
        task.price_units *= self.rate
        if self.dooms:
            doom = self.dooms.pop(0)
            status, billed = ENDS[doom]
            task.end(Ending(status, billed))
            self.world.rig.counts[f"task {doom}"] += 1
        return task
