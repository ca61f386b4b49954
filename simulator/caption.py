"""What is written on a simulated result: the prompt, what was asked for, the time, and that it is simulated.

The writing is laid on the encoded planes (Y, U, V) in full size, so it stays sharp while the scene below it
is enlarged, and only the pixels under the writing are touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

INK = (255, 255, 255)
SOFT = (205, 210, 220)
ACCENT = (255, 186, 73)
PANEL = (10, 12, 18, 150)
UNIT = 720  # pixels of the short side for which the sizes below are given
CLOCK = 67  # from the panel's lower edge up to the clock
MAX_LINES = 4
LINE_CHARACTERS = 300  # more than any line can hold: the rest of a text need not be measured
#: Fonts of the usual systems that know more scripts than Pillow's own; used only for texts that need them.
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "arial.ttf",
    "Hiragino Sans GB.ttc",
    "DejaVuSans.ttf",
)

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Stamp:
    """A small RGBA picture ready to be laid on YUV planes at (x, y); both are even, as 4:2:0 wants it."""

    x: int
    y: int
    luma: NDArray[np.uint16]
    blue: NDArray[np.uint16]
    red: NDArray[np.uint16]
    cover: NDArray[np.uint16]
    half_cover: NDArray[np.uint16]

    @classmethod
    def of(cls, picture: Image.Image, x: int, y: int) -> Stamp:
        """Turn an RGBA picture with even sides into a stamp (BT.601, limited range)."""
        pixels = np.asarray(picture, dtype=np.float32)
        rgb, alpha = pixels[..., :3], pixels[..., 3] / 255
        luma = 16 + rgb @ np.array([65.481, 128.553, 24.966], np.float32) / 255
        blue = 128 + rgb @ np.array([-37.797, -74.203, 112.0], np.float32) / 255
        red = 128 + rgb @ np.array([112.0, -93.786, -18.214], np.float32) / 255
        weight = _halved(alpha)
        safe = np.maximum(weight, 1e-6)
        return cls(
            x & ~1,
            y & ~1,
            _whole(luma * alpha * 256),
            _whole(_halved(blue * alpha) / safe * weight * 256),
            _whole(_halved(red * alpha) / safe * weight * 256),
            _whole((1 - alpha) * 256),
            _whole((1 - weight) * 256),
        )

    def lay(self, planes: Planes) -> None:
        """Lay the stamp on the planes, in place."""
        _blend(planes[0], self.x, self.y, self.luma, self.cover)
        _blend(planes[1], self.x // 2, self.y // 2, self.blue, self.half_cover)
        _blend(planes[2], self.x // 2, self.y // 2, self.red, self.half_cover)


def _halved(values: NDArray[Any]) -> NDArray[Any]:
    mean: NDArray[Any] = (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4
    return mean


def _whole(values: NDArray[Any]) -> NDArray[np.uint16]:
    rounded: NDArray[np.uint16] = np.clip(values + 0.5, 0, 65535).astype(np.uint16)
    return rounded


def _blend(
    plane: NDArray[np.uint8], x: int, y: int, ink: NDArray[np.uint16], cover: NDArray[np.uint16]
) -> None:
    height, width = ink.shape
    area = plane[y : y + height, x : x + width]
    height, width = area.shape
    # 16 bits are enough: ink carries alpha times 256, cover the rest of 256.
    area[...] = (area * cover[:height, :width] + ink[:height, :width]) >> 8


@dataclass(frozen=True)
class Writing:
    """Some writing as an RGBA picture, and its place on the frame."""

    picture: Image.Image
    x: int
    y: int

    def stamp(self) -> Stamp:
        """Return the writing ready to be laid on YUV planes."""
        return Stamp.of(self.picture, self.x, self.y)


class Caption:
    """All the writing of one shot, for frames of `size` (width, height)."""

    def __init__(
        self, size: tuple[int, int], text: str, facts: list[str], heading: str, seconds: float
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._unit = min(size) / UNIT
        self._pad = _pad(size)
        self._small = _small(size, facts)
        below = panel(size, text, facts)
        self._bottom = below.y + below.picture.height
        self._still = [below.stamp(), badge(size).stamp()]
        if heading:
            self._still.append(_heading(size, heading).stamp())

    def lay(self, planes: Planes, at: float) -> None:
        """Write on one frame; `at` is its second within the video."""
        for stamp in self._still:
            stamp.lay(planes)
        self._bar(min(at / self._seconds, 1.0)).lay(planes)
        self._clock(at).lay(planes)

    def _bar(self, share: float) -> Stamp:
        width = _even(self._size[0] - 4 * self._pad)
        height = max(4, _even(8 * self._unit))
        picture = Image.new("RGBA", (width, height), (255, 255, 255, 60))
        full = max(height, round(width * share))
        ImageDraw.Draw(picture).rectangle((0, 0, full, height), fill=(*ACCENT, 255))
        return Stamp.of(picture, self._pad * 2, self._bottom - _even(24 * self._unit))

    def _clock(self, at: float) -> Stamp:
        text = (
            f"{int(at) // 60:02d}:{at % 60:04.1f} / {int(self._seconds) // 60:02d}:{self._seconds % 60:04.1f}"
        )
        width = _even(self._small.getlength("00:00.0 / 00:00.0") + 4)
        height = _even(30 * self._unit)
        picture = Image.new("RGBA", (width, height), (*SOFT, 0))
        ImageDraw.Draw(picture).text((width, 0), text, SOFT, font=self._small, anchor="ra")
        right = self._size[0] - 2 * self._pad
        return Stamp.of(picture, right - width, self._bottom - round(CLOCK * self._unit))


def panel(size: tuple[int, int], text: str, facts: list[str]) -> Writing:
    """Return the panel at the foot of a frame: the words, and the facts below them."""
    unit, pad, small = min(size) / UNIT, _pad(size), _small(size, facts)
    width = _even(size[0] - 2 * pad)
    big = font(round(33 * unit), text)
    lines = wrapped(text, big, width - 2 * pad, MAX_LINES)
    notes = wrapped("  ·  ".join(facts), small, width - 2 * pad - 190 * unit, 3)
    step, small_step = round(43 * unit), round(29 * unit)
    height = _even(pad * 0.75 + step * len(lines) + small_step * len(notes) + 44 * unit)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), round(18 * unit), fill=PANEL)
    y = pad * 0.75
    for line in lines:
        draw.text((pad, y), line, INK, font=big)
        y += step
    y += 6 * unit
    for line in notes:
        draw.text((pad, y), line, SOFT, font=small)
        y += small_step
    return Writing(picture, pad, size[1] - height - pad)


def badge(size: tuple[int, int]) -> Writing:
    """Return the mark at the top right that says that this is simulated."""
    unit = min(size) / UNIT
    face = font(round(24 * unit), "")
    text = "SIMULATED"
    width = _even(face.getlength(text) + 62 * unit)
    height = _even(44 * unit)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), height // 2, fill=(*ACCENT, 235))
    middle, radius = height / 2, 7 * unit
    left = 20 * unit
    draw.ellipse((left, middle - radius, left + 2 * radius, middle + radius), fill=(60, 34, 0, 255))
    draw.text((44 * unit, middle), text, (45, 26, 0), font=face, anchor="lm")
    return Writing(picture, size[0] - width - _pad(size), _pad(size))


def _heading(size: tuple[int, int], heading: str) -> Writing:
    unit = min(size) / UNIT
    face = font(round(30 * unit), heading)
    width = _even(face.getlength(heading) + 44 * unit)
    height = _even(54 * unit)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), round(14 * unit), fill=PANEL)
    draw.text((22 * unit, height / 2), heading, INK, font=face, anchor="lm")
    return Writing(picture, _pad(size), _pad(size))


def _pad(size: tuple[int, int]) -> int:
    return _even(26 * min(size) / UNIT)


def _small(size: tuple[int, int], facts: list[str]) -> Face:
    return font(round(21 * min(size) / UNIT), " ".join(facts))


def font(size: int, text: str) -> Face:
    """Return Pillow's own font, or a system's one when `text` has letters that Pillow's does not know."""
    if any(ord(letter) > 0x24F and not 0x2000 <= ord(letter) < 0x2100 for letter in text):
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, max(8, size))
            except OSError:
                continue
    return ImageFont.load_default(max(8, size))


def wrapped(text: str, face: Face, width: float, most: int) -> list[str]:
    """Return `text` in at most `most` lines no wider than `width` pixels; what is cut off ends in "..."."""
    lines: list[str] = []
    line = ""
    for word in text[: most * LINE_CHARACTERS].split():
        for piece in _pieces(word, face, width):
            longer = f"{line} {piece}" if line else piece
            if face.getlength(longer) <= width:
                line = longer
            else:
                lines.append(line)
                line = piece
        if len(lines) > most:
            break
    lines.append(line)
    lines = [entry for entry in lines if entry] or [""]
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and face.getlength(f"{last}...") > width:
        last = last[:-1]
    return [*lines[: most - 1], f"{last.rstrip()}..."]


def _pieces(word: str, face: Face, width: float) -> list[str]:
    """Cut a word that is wider than a line: Chinese has no spaces, and a pasted address neither."""
    pieces: list[str] = []
    while word and face.getlength(word) > width:
        fits = len(word)
        while fits > 1 and face.getlength(word[:fits]) > width:
            fits = fits * 3 // 4
        pieces.append(word[:fits])
        word = word[fits:]
    return [*pieces, word] if word else pieces


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
