"""What the steps of one run share: where and as whom, which models, which journal, how patient."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from .client import Timeouts
from .clock import Clock
from .journal import Journal
from .kling.deduction import Deduction
from .kling.models import ModelTable
from .kling.responses import KlingTask
from .payer import runner_in_words
from .polling import POLL_CEILING, POLL_FLOOR
from .settings import Settings, is_loopback
from .tasks_api import TasksApi


@dataclass(frozen=True)
class Policy:
    """How patient the protocol is; times in seconds."""

    #: tries to reach the host before a create is given up, unpaid
    connect_tries: int = 4
    #: creates under one id whose outcome stays unknown before the run says so and stops
    unknown_sends: int = 3
    #: waits before each look for a create whose reply was lost
    lookup_delays: tuple[float, ...] = (1.0, 3.0, 8.0)
    #: waits before each look for a task that Kling says exists
    exists_delays: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
    #: tries of a lookup that fails in passing
    read_tries: int = 5
    #: failed attempts at one take before another number is asked for
    attempts: int = 50
    poll_floor: float = POLL_FLOOR
    poll_ceiling: float = POLL_CEILING
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True)
class Context:
    """Everything that one account needs to make takes."""

    settings: Settings
    table: ModelTable
    journal: Journal
    clock: Clock
    policy: Policy
    api: TasksApi

    @property
    def simulated(self) -> bool:
        """Whether the money is the built-in simulator's."""
        return self.settings.backend == "simulator"

    def deduction_of(self, task: KlingTask) -> Deduction:
        """Return what Kling took for a task; money without a currency is in that of the region."""
        found = task.deduction
        if not found.cash or found.currency:
            return found
        return replace(found, currency="CNY" if self.settings.region == "china" else "USD")

    @property
    def runner(self) -> str:
        """Who runs only so many tasks at once, in words."""
        return runner_in_words(self.settings.account, simulated=self.simulated)

    @property
    def on_this_computer(self) -> bool:
        """Whether the API is on loopback, so that links to loopback are no surprise."""
        return is_loopback(urlsplit(self.settings.base_url).hostname)
