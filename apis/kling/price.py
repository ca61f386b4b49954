"""What a video will cost, before it is bought."""

from __future__ import annotations

from dataclasses import dataclass

from .models import ModelTable
from .requests import VideoRequest, seconds


@dataclass(frozen=True)
class Price:
    """Video units, and the same in US dollars at Kling's list price of a unit."""

    units: float
    usd: float

    def __str__(self) -> str:
        return f"{self.units:g} units (${self.usd:.2f})"


def estimate(request: VideoRequest, table: ModelTable) -> Price | None:
    """The price of the video, or None where the table has none for this model, mode and sound."""
    spec = table.get(request.model_name)
    if spec is None:
        return None
    rate = spec.units_per_second(request.mode, spec.makes_sound(request.sound))
    if rate is None:
        return None
    # Sums of decimal rates: without rounding 0.3 x 5 would be shown and compared as 1.4999999999999998.
    units = round(rate * seconds(request), 6)
    return Price(units=units, usd=round(units * table.usd_per_unit, 6))
