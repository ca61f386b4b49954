"""What a product is to the simulator: its addresses, its rules, what it costs and what it yields.

One module of `products` holds everything that is particular to one product, and nothing outside that folder
names a product or decides by one.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from .answers import Refusal
from .offer import Offer
from .order import O
from .results import File, Kind, Output


@dataclass(frozen=True, kw_only=True)
class Product(ABC, Generic[O]):
    """One product. One that only says where it is can be looked up, and its creates are refused.

    `name` is also what a models.json calls it. `legacy_path` and `standard_path` are whole addresses below
    the host, the latter without the model; None where the product does not exist in that dialect.
    `product_type` is the word of the new standard's filter, `package` the kind of units that pay for it.
    """

    name: str
    package: Kind
    legacy_path: str | None = None
    standard_path: str | None = None
    product_type: str = ""
    found_by_external_id: bool = True
    retired: bool = False

    def read_legacy(self, body: Mapping[str, Any], offer: Offer) -> O:
        """Return the order in a legacy create body, or raise Refusal with Kling's code and message."""
        raise self._makes_none()

    def read_standard(self, model: str, body: Mapping[str, Any], offer: Offer) -> O:
        """Return the order in a create body of the new standard, or raise Refusal as Kling does."""
        raise self._makes_none()

    @abstractmethod
    def sample(self, model: str, prompt: str, seconds: int, external_task_id: str | None) -> O:
        """Return the order of a task that was made elsewhere."""

    @abstractmethod
    def units(self, order: O) -> float:
        """Return the units that a finished order costs."""

    @abstractmethod
    def work(self, order: O) -> float:
        """Return how much there is to make, counted in seconds of video; it decides how long a task takes."""

    @abstractmethod
    def outputs(self, order: O) -> tuple[Output, ...]:
        """Return what a finished order yields."""

    @abstractmethod
    def draw(self, order: O, file: File, target: Path, stop: threading.Event) -> None:
        """Write one file of an order's result to `target`; raise Stopped when `stop` is set meanwhile."""

    def slots(self, order: O) -> int:
        """Return how many of the account's parallel tasks an order counts for."""
        return 1

    def _makes_none(self) -> Refusal:
        if self.retired:
            return Refusal(1203, "This API is no longer available")
        return Refusal(1203, f"The simulator makes no {self.name}; it only finds such tasks")
