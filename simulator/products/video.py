"""What products that yield one video have in common."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from .. import prices, video
from ..order import VideoOrder
from ..product import Product
from ..results import File, Kind, Output


@dataclass(frozen=True, kw_only=True)
class VideoProduct(Product[VideoOrder]):
    """A product that yields one MP4 and is paid by its seconds."""

    package: Kind = "video"

    def sample(self, model: str, prompt: str, seconds: int, external_task_id: str | None) -> VideoOrder:
        """Return the order of a silent video in the cheapest mode."""
        rate = prices.units_per_second(model, "std", sound=False)
        return VideoOrder(
            self.name, model, prompt, seconds=seconds, rate=rate, external_task_id=external_task_id
        )

    def units(self, order: VideoOrder) -> float:
        """Return the order's rate times its seconds."""
        return round(order.rate * order.seconds, 4)

    def work(self, order: VideoOrder) -> float:
        """Return the seconds of the video."""
        return order.seconds

    def outputs(self, order: VideoOrder) -> tuple[Output, ...]:
        """Return the one video."""
        return (Output("video", ("mp4",), order.seconds),)

    def draw(self, order: VideoOrder, file: File, target: Path, stop: threading.Event) -> None:
        """Write the video."""
        video.make(order, target, stop)
