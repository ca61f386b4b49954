"""A picture as a PNG: the landscape of its words, with what was asked for written on it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from . import caption
from .motion import View
from .scene import SCENE_SIDE, Painting


def make(words: str, facts: list[str], size: tuple[int, int], place: int, target: Path) -> None:
    """Write the picture of `words` in `size` (width, height) to `target`.

    `facts` are written below the words; `place` tells pictures of one order apart.
    """
    shrunk = min(1.0, SCENE_SIDE / min(size))
    scene = Painting(f"{place}:{words}", (round(size[0] * shrunk), round(size[1] * shrunk)))
    drawn = scene.frame(0.5, View()).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    for writing in (caption.panel(size, words, facts), caption.badge(size)):
        drawn.alpha_composite(writing.picture, (writing.x, writing.y))
    drawn.convert("RGB").save(target, "PNG")


def tiny() -> bytes:
    """Return a picture of 64 by 64 pixels."""
    target = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(target, "PNG")
    return target.getvalue()
