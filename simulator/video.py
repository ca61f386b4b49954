"""From an order to an MP4: H.264, yuv420p, 24 frames a second, the asked shape and the exact length."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from .order import Order

#: Part of every content key: change it when the pictures change.
VERSION = 1
FPS = 24
SHORT_SIDE = {"std": 720, "pro": 1080, "4k": 2160}  # pixels


class Stopped(Exception):
    """The server closed while a video was being drawn."""


def make(order: Order, target: Path, stop: threading.Event) -> None:
    """Write an order's video to `target`; raises Stopped when `stop` is set meanwhile."""
    height = SHORT_SIDE[order.mode]
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height = height * 16 // 9, height
        stream.pix_fmt = "yuv420p"
        for number in range(FPS * order.seconds):
            if stop.is_set():
                raise Stopped
            picture = np.full((height, height * 16 // 9, 3), number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def make_tiny(target: BinaryIO) -> None:
    """Write a video of one second, 64 by 64 pixels, that any player opens."""
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "threads": "1"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(FPS):
            picture = np.full((64, 64, 3), number * 255 // FPS, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
