"""A picture as it is sent to Kling, and what Kling takes of it. Pure; ``media`` makes them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from .models import DialectLimits
from .problem import Problem
from .schema import Part


class KlingImage(Part):
    """Encoded bytes, and the SHA-256 of the pixels that names the picture in a take."""

    pixels_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    data: bytes = Field(repr=False)
    mime: Literal["image/png", "image/jpeg"]
    #: A sentence for the artist about what was done to the picture; empty when nothing was.
    note: str = ""

    def base64(self) -> str:
        """Return the bytes as base64, without the ``data:`` prefix that Kling refuses (docs, 2026-03)."""
        return base64.b64encode(self.data).decode("ascii")

    def in_take(self) -> Any:
        """Return the hash of the pixels: how they were packed does not matter."""
        return {"sha256": self.pixels_sha256}


def picture_fault(width: int, height: int, limits: DialectLimits) -> str | None:
    """Return why Kling would refuse a picture of this size in pixels, as a sentence, or None."""
    side, ratio = limits.image_side, limits.image_ratio
    if min(width, height) < side:
        return (
            f"The picture is {width} x {height} pixels, and Kling takes none with a side below {side}. "
            "Use a larger one or scale it up."
        )
    if max(width, height) > ratio * min(width, height):
        shape = f"{width / height:.3g}:1" if width > height else f"1:{height / width:.3g}"
        return (
            f"The picture is {width} x {height} pixels, which is {shape}. "
            f"Kling takes 1:{ratio:g} to {ratio:g}:1. Crop it."
        )
    return None


def sent_size(data: bytes) -> int:
    """Return how many characters these bytes are as base64."""
    return (len(data) + 2) // 3 * 4


def check_picture(widget: str, picture: KlingImage, limits: DialectLimits) -> Iterator[Problem]:
    """Yield what keeps an encoded picture from being sent."""
    if fault := picture_fault(picture.width, picture.height, limits):
        yield Problem(widget, f"{widget}: {fault}")
    size = sent_size(picture.data)
    if size > limits.image_bytes:
        most = limits.image_bytes / 1e6
        text = f"the picture is {size / 1e6:.1f} MB when sent, and Kling takes {most:g}. Use a smaller one."
        yield Problem(widget, f"{widget}: {text}")
