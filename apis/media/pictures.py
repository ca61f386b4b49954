"""Pictures as Kling takes them: the first frame, opaque, eight bits a channel, small enough to send.

The take is named by the pixels before they are packed, so the same picture is the same take whether it
travels as PNG or as JPEG, in either dialect and with any version of the packing library. Everything here
blocks; nodes call it in a thread.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InvalidInput
from ..kling.models import DialectLimits
from ..kling.pictures import KlingImage, picture_fault, sent_size
from ..transport.threads import in_own_thread

if TYPE_CHECKING:
    from PIL import Image

#: What lies under a transparent picture, red green blue in 0..1: white, as most viewers show it.
BACKGROUND = (1.0, 1.0, 1.0)
#: Rows of a picture that are worked on at a time.
BAND = 64
#: Below this quality a JPEG is a mosaic, and a smaller picture shows more.
JPEG_FLOOR = 20
JPEG_CEILING = 100
#: How much smaller each try is, when a picture must shrink.
SHRINK = 0.85


class PictureRefused(ValueError):
    """A picture that Kling would refuse; the text says why and what to do, and names no widget."""


class PictureShapeRefused(PictureRefused):
    """Sides too short, or a picture too long and narrow."""


class PictureEmpty(PictureRefused):
    """No picture at all, or no pixels in it."""


class PictureTooLarge(PictureRefused):
    """Too many bytes however it is packed."""


async def packed(widget: str, pixels: Any, limits: DialectLimits) -> KlingImage:
    """Return a picture packed off the event loop, as ``encode_image`` does.

    A caller that is cancelled does not wait for it. Raises InvalidInput naming the widget.
    """
    try:
        return await in_own_thread(lambda: encode_image(pixels, limits))
    except PictureRefused as error:
        raise InvalidInput(f"{widget}: {error}", widget=widget) from error


def encode_image(pixels: Any, limits: DialectLimits) -> KlingImage:
    """Return the picture as it will be sent.

    ``pixels`` is ``[H, W, C]`` or ``[B, H, W, C]``, float in 0..1 or uint8 in 0..255, sRGB, with 1, 3 or 4
    channels (grey, colour, colour with alpha). Of several frames the first is used. Alpha is laid over white.
    PNG where its base64 fits into the limit, else JPEG at the best quality that fits, and smaller only
    where no fair quality fits; the note of the result says so.

    Raises PictureEmpty, PictureShapeRefused or PictureTooLarge, each with the numbers.
    Source of the limits: Kling docs, 2026-03-05 and 2026-09-20, by way of models.json.
    """
    frame, notes = _first_frame(np.asarray(pixels))
    height, width = frame.shape[:2]
    if fault := picture_fault(width, height, limits):
        raise PictureShapeRefused(fault)
    rgb, laid = _opaque_bytes(frame)
    notes += laid
    data, mime, size, packed = _packed(rgb, limits)
    notes += packed
    return KlingImage(
        pixels_sha256=_hash(rgb), width=size[0], height=size[1], data=data, mime=mime, note=" ".join(notes)
    )


def _first_frame(pixels: Any) -> tuple[Any, list[str]]:
    notes: list[str] = []
    if pixels.ndim == 4:
        if pixels.shape[0] == 0:
            raise PictureEmpty("There is no picture in this batch. Connect one.")
        if pixels.shape[0] > 1:
            notes.append(f"The first of {pixels.shape[0]} pictures was used.")
        pixels = pixels[0]
    if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
        raise PictureEmpty(f"This is no picture: its numbers are {pixels.dtype}, not uint8 or float.")
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        shape = " x ".join(str(side) for side in pixels.shape)
        raise PictureEmpty(
            f"This is no picture: its numbers lie in {shape}, not in height x width x 1, 3 or 4 colours."
        )
    if 0 in pixels.shape:
        raise PictureEmpty("The picture has no pixels. Connect one that has.")
    return pixels, notes


def _opaque_bytes(frame: Any) -> tuple[Any, list[str]]:
    """Return uint8 ``[H, W, 3]``, rounded to the nearest step, and what was done for it."""
    channels = frame.shape[2]
    if frame.dtype == np.uint8 and channels != 4:
        return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3))), []
    rgb = np.empty((*frame.shape[:2], 3), dtype=np.uint8)
    transparent = False
    # In bands: in between each number takes several times the room that it has in the end.
    for top in range(0, len(frame), BAND):
        values = frame[top : top + BAND].astype(np.float32)
        if frame.dtype == np.uint8:
            values /= 255.0
        # A number that is none (a failed node upstream) becomes black, not a random colour.
        values = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        colour = values[..., :3]
        if channels == 4:
            alpha = values[..., 3:]
            transparent = transparent or float(alpha.min()) < 1.0
            colour = colour * alpha + np.asarray(BACKGROUND, dtype=np.float32) * (1.0 - alpha)
        rgb[top : top + BAND] = np.rint(colour * 255.0)
    return rgb, ["The transparent parts were laid over white."] if transparent else []


def _hash(rgb: Any) -> str:
    shape = "x".join(str(side) for side in rgb.shape)
    digest = hashlib.sha256(shape.encode("ascii") + b":")
    digest.update(rgb)
    return digest.hexdigest()


def _packed(
    rgb: Any, limits: DialectLimits
) -> tuple[bytes, Literal["image/png", "image/jpeg"], tuple[int, int], list[str]]:
    from PIL import Image  # loading it takes longer than the rest of the pack, and only a run needs it

    def fits(data: bytes) -> bool:
        return sent_size(data) <= limits.image_bytes

    picture = Image.fromarray(rgb)
    png = _saved(picture, "PNG")
    if fits(png):
        return png, "image/png", picture.size, []
    limit = f"{limits.image_bytes / 1e6:g} MB"
    shrunk = picture
    while True:
        best = _best_jpeg(shrunk, fits)
        if best is not None:
            break
        width, height = _smaller(shrunk.size, limits.image_ratio)
        if picture_fault(width, height, limits) is not None:
            raise PictureTooLarge(
                f"The picture is {picture.width} x {picture.height} pixels and does not fit into {limit} "
                "even when packed. Use a smaller one."
            )
        shrunk = picture.resize((width, height), Image.Resampling.LANCZOS)
    data, quality = best
    notes = [f"The picture was sent as JPEG of quality {quality}, because as PNG it is over {limit}."]
    if shrunk.size != picture.size:
        notes.append(
            f"It was made smaller, from {picture.width} x {picture.height} to "
            f"{shrunk.width} x {shrunk.height} pixels, because it did not fit otherwise."
        )
    return data, "image/jpeg", shrunk.size, notes


def _smaller(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Return the next size to try; rounding must not push a picture over the longest ratio Kling takes."""
    width, height = (round(side * SHRINK) for side in size)
    return min(width, int(height * ratio)), min(height, int(width * ratio))


def _best_jpeg(picture: Image.Image, fits: Callable[[bytes], bool]) -> tuple[bytes, int] | None:
    """Return the JPEG of the best quality that fits, and that quality; None where not even the floor fits."""
    low, high = JPEG_FLOOR, JPEG_CEILING
    data = _saved(picture, "JPEG", low)
    if not fits(data):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        tried = _saved(picture, "JPEG", middle)
        if fits(tried):
            low, data = middle, tried
        else:
            high = middle - 1
    return data, low


def _saved(picture: Image.Image, form: Literal["PNG", "JPEG"], quality: int = JPEG_CEILING) -> bytes:
    stream = io.BytesIO()
    if form == "PNG":
        picture.save(stream, form)
    else:
        picture.save(stream, form, quality=quality, subsampling=0)
    return stream.getvalue()
