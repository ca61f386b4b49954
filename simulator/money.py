"""How an account pays: units of its packs, money of its balance, or both. Pure.

The rates turn units into money, so that a bill in any of the two can be compared with one in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from .results import Kind
from .task import SimTask

#: What one unit of a kind costs: $700 for 5,000 of videos, $350 for 100,000 of images; sound counts as video.
UNIT_USD: dict[Kind, float] = {"video": 0.14, "image": 0.0035, "audio": 0.14}
#: CNY for a dollar: a unit of videos is 1 CNY in China.
CNY_PER_USD = 1 / 0.14


@dataclass(frozen=True)
class Payment:
    """How an account pays: `cash` is the share of each price that its balance pays, in `currency`."""

    cash: float = 0.0
    currency: str = "USD"

    def units(self, price: float) -> float:
        """Return the units of packs that a price of so many units takes."""
        return round(price * (1 - self.cash), 4)

    def money(self, price: float, kind: Kind) -> float:
        """Return the money that a price of so many units takes."""
        rate = CNY_PER_USD if self.currency == "CNY" else 1.0
        return round(price * self.cash * UNIT_USD[kind] * rate, 4)


@dataclass(frozen=True)
class Deduction:
    """One line of the account's bill: `amount` in `currency`, or in units where that is empty."""

    task: SimTask
    at: float
    amount: float
    currency: str = ""
    before: float = 0.0

    @property
    def usd(self) -> float:
        """What was taken, in US dollars."""
        if not self.currency:
            return self.amount * UNIT_USD[self.task.package]
        return self.amount / (CNY_PER_USD if self.currency == "CNY" else 1.0)
