"""What a simulated video or picture shows: a landscape made of the prompt, or the user's own pictures.

Everything is painted once and only cut out, shifted and blended per frame, at a small size that the
encoder's scaler enlarges: a video of five seconds has to be ready in about a second.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from .motion import SHIFT, View

SCENE_SIDE = 540  # pixels of the short side while painting; what is drawn is enlarged afterwards
#: Air around the frame, in frames, so that no camera move looks over the edge.
MARGIN = SHIFT + 0.13
#: How much less the sky moves than the nearest hill when the camera travels.
FAR = 0.75
LAYERS = 5
SPARKS = 26
_BACKGROUND = (24, 24, 28)  # under a picture with an alpha channel


@dataclass(frozen=True)
class _Layer:
    """One strip of the landscape: `near` is 0 for the sky, 1 for the nearest hill; `top` its first row."""

    image: Image.Image
    near: float
    top: int


class Painting:
    """A landscape of `size` (width, height) pixels whose colours and hills follow from `words`."""

    def __init__(self, words: str, size: tuple[int, int]) -> None:
        self._size = size
        self._dice = np.random.default_rng(int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big"))
        self._margin = (round(size[0] * MARGIN), round(size[1] * MARGIN))
        self._whole = (size[0] + 2 * self._margin[0], size[1] + 2 * self._margin[1])
        # Two neighbouring colours, from dawn to night, and dark hills: calm, and different for every prompt.
        hue = 0.52 + 0.54 * self._dice.random()
        turn = 0.12 if hue > 0.75 else -0.08
        self._sky = _colour(hue, 0.68, 0.36), _colour(hue + turn, 0.45, 0.98)
        self._ground = _colour(hue, 0.70, 0.11)
        self._light = _colour(hue + turn, 0.16, 1.0)
        self._layers = [self._paint_sky(), *(self._paint_hill(place) for place in range(1, LAYERS))]
        self._sparks = self._dice.random((SPARKS, 4))
        self._laid: tuple[View | None, Image.Image] = (None, Image.new("RGB", (1, 1)))

    def frame(self, moment: float, view: View) -> Image.Image:
        """Return the picture of that moment (0..1) and view."""
        # Rolling and zooming alone leave the layers where they are, so those are composed once.
        place = View(x=view.x, y=view.y, parallax=view.parallax)
        if self._laid[0] != place or (view.roll and self._laid[1].size == self._size):
            # Only a rolled view looks over the edges of an upright one.
            room = (self._whole, (0, 0)) if view.roll else (self._size, self._margin)
            self._laid = place, self._compose(place, *room)
        laid = self._laid[1]
        upright = view.roll == 0 and view.scale == 1.0 and laid.size == self._size
        frame = laid.copy() if upright else turned(laid, self._size, view)
        self._draw_sparks(frame, moment)
        return frame

    def _compose(self, view: View, size: tuple[int, int], origin: tuple[int, int]) -> Image.Image:
        canvas = Image.new("RGB", size)
        for layer in self._layers:
            share = 1 - view.parallax * FAR * (1 - layer.near)
            left = origin[0] + round(view.x * self._size[0] * share)
            top = origin[1] - round(view.y * self._size[1] * share)
            mask = layer.image if layer.image.mode == "RGBA" else None
            canvas.paste(layer.image, (-left, layer.top - top), mask)
        return canvas

    def _paint_sky(self) -> _Layer:
        width, height = self._whole
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 0.8
        top, bottom = (np.array(colour, np.float32) for colour in self._sky)
        sky = np.broadcast_to(top + (bottom - top) * down, (height, width, 3)).copy()
        across, upright = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        sun = (0.38 + 0.24 * self._dice.random()) * width, (0.42 + 0.06 * self._dice.random()) * height
        unit = min(self._size)
        away = np.hypot(across - sun[0], upright - sun[1]) / unit
        light = np.array(self._light, np.float32)
        glow = np.exp(-((away / 0.34) ** 2))[..., None] * 0.55
        disc = np.clip((0.115 - away) * unit, 0, 1)[..., None]
        sky += (light - sky) * np.maximum(glow, disc)
        # A little noise keeps the gradient free of bands in eight bits.
        sky += self._dice.normal(0, 1.1, (height, width, 1)).astype(np.float32)
        return _Layer(Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8), "RGB"), 0.0, 0)

    def _paint_hill(self, place: int) -> _Layer:
        width, height = self._whole
        near = place / (LAYERS - 1)
        across = np.arange(width, dtype=np.float32) / self._size[0]
        crest = np.zeros(width, np.float32)
        for octave in range(1, 6):
            wave = (0.7 + 0.6 * self._dice.random()) * 2.0**octave * 0.55
            crest += np.sin(2 * math.pi * (across * wave + self._dice.random())) / 2.0 ** (octave * 0.95)
        middle = self._margin[1] + self._size[1] * (0.50 + 0.38 * near**0.9)
        line = middle - crest * self._size[1] * (0.10 + 0.03 * near)
        top = max(0, int(line.min()) - 1)
        rows = np.arange(top, height, dtype=np.float32)[:, None]
        cover = np.clip(rows - line[None, :] + 0.5, 0, 1)
        far, close = np.array(self._sky[1], np.float32), np.array(self._ground, np.float32)
        colour = far + (close - far) * (0.30 + 0.70 * near)
        # Each hill is a little lighter at its foot, like haze in a valley.
        haze = np.clip((rows - line[None, :]) / (0.30 * self._size[1]), 0, 1)[..., None] * (1 - near) * 0.45
        pixels = np.empty((height - top, width, 4), np.uint8)
        pixels[..., :3] = np.clip(colour + (far - colour) * haze, 0, 255).astype(np.uint8)
        pixels[..., 3] = (cover * 255).astype(np.uint8)
        return _Layer(Image.fromarray(pixels, "RGBA"), near, top)

    def _draw_sparks(self, canvas: Image.Image, moment: float) -> None:
        """Draw drifting specks of light: something always moves, whatever the camera does."""
        width, height = self._size
        draw = ImageDraw.Draw(canvas, "RGBA")
        for x, y, size, pace in self._sparks:
            across = (x + 0.02 * math.sin(2 * math.pi * (moment * 1.5 + y))) % 1 * width
            upward = (y - moment * (0.25 + 0.35 * pace)) % 1 * height
            radius = (0.0022 + 0.0035 * size) * min(self._size)
            opacity = int(200 * math.sin(math.pi * upward / height))
            draw.ellipse(
                (across - radius, upward - radius, across + radius, upward + radius),
                fill=(*self._light, opacity),
            )


class Picture:
    """One of the user's pictures, filling the frame; beyond its edges it is mirrored."""

    def __init__(self, encoded: bytes, size: tuple[int, int]) -> None:
        self._size = size
        with Image.open(io.BytesIO(encoded)) as opened:
            flat = flattened(opened)
        fitted = np.asarray(ImageOps.fit(flat, size, Image.Resampling.LANCZOS))
        self._margin = (round(size[0] * MARGIN), round(size[1] * MARGIN))
        across, upright = ((margin, margin) for margin in self._margin)
        self._canvas = Image.fromarray(np.pad(fitted, (upright, across, (0, 0)), mode="reflect"), "RGB")

    def frame(self, _moment: float, view: View) -> Image.Image:
        """Return the picture as the view shows it."""
        return turned(self._canvas, self._size, view, shift=True)


class Change:
    """From one scene to the other: the first frame is all of the one, the last all of the other."""

    def __init__(self, first: Painting | Picture, last: Painting | Picture) -> None:
        self._first = first
        self._last = last

    def frame(self, moment: float, view: View) -> Image.Image:
        """Return the mixture of that moment."""
        share = min(max((moment - 0.25) / 0.5, 0.0), 1.0)
        share = share * share * (3 - 2 * share)
        if share == 0.0:
            return self._first.frame(moment, view)
        if share == 1.0:
            return self._last.frame(moment, view)
        return Image.blend(self._first.frame(moment, view), self._last.frame(moment, view), share)


def flattened(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, upright, with an alpha channel laid over a dark ground."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        ground = Image.new("RGBA", upright.size, (*_BACKGROUND, 255))
        return Image.alpha_composite(ground, upright).convert("RGB")
    return upright.convert("RGB")


def turned(canvas: Image.Image, size: tuple[int, int], view: View, *, shift: bool = False) -> Image.Image:
    """Return the part of `canvas` that a frame of `size` around its middle shows, rolled and magnified.

    With `shift` the view's place counts too; a painting has shifted its layers already.
    """
    width, height = size
    angle = math.radians(view.roll)
    cosine, sine = math.cos(angle) / view.scale, math.sin(angle) / view.scale
    x, y = canvas.width / 2, canvas.height / 2
    if shift:
        x, y = x + view.x * width, y - view.y * height
    # Image.transform asks for the place on the canvas of a pixel of the result: the turn backwards.
    matrix = (
        cosine,
        sine,
        x - cosine * width / 2 - sine * height / 2,
        -sine,
        cosine,
        y + sine * width / 2 - cosine * height / 2,
    )
    return canvas.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
