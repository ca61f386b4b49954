"""What Kling asks of an inline picture: raw base64, JPEG or PNG, a size, a ratio, a weight.

The pixels are decoded here, at the create, because a picture that Kling can't read must cost nothing.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings

from PIL import Image

from .answers import invalid

#: Bytes of the base64 text. Kling says "10MB" and "50MB"; the smaller reading of both words is taken.
LEGACY_BYTES = 10_000_000
STANDARD_BYTES = 50_000_000
MIN_SIDE = 300  # pixels
MAX_RATIO = 2.5  # long side to short side


def is_url(value: str) -> bool:
    """Tell whether a picture is given by address; the simulator fetches nothing from a network."""
    return value.startswith(("http://", "https://"))


def read_image(name: str, value: str, limit: int) -> bytes:
    """Return the encoded picture behind the base64 text of field `name`.

    Raises Refusal (1201) for a `data:` prefix, text that is not base64, another format than JPEG or PNG, a
    side under 300 px, a ratio beyond 1:2.5, or more than `limit` bytes. Source: Kling docs, 2026-09-20.
    """
    if value.lstrip()[:5].lower() == "data:":
        raise invalid(f"{name} must be raw base64, without the 'data:' prefix")
    if len(value) > limit:
        raise invalid(f"{name} is larger than {limit // 1_000_000}MB")
    try:
        encoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{name} is not valid base64") from None
    width, height = _size(name, encoded)
    if min(width, height) < MIN_SIDE:
        raise invalid(f"{name} is {width}x{height}; each side must be at least {MIN_SIDE}px")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise invalid(f"{name} is {width}x{height}; the aspect ratio must be within 1:2.5 to 2.5:1")
    return encoded


def _size(name: str, encoded: bytes) -> tuple[int, int]:
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG")) as picture:
            # Pillow warns about very large pictures; the byte limit above already bounds them.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture.load()
            return picture.width, picture.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise invalid(f"{name} is not a readable .jpg, .jpeg or .png picture") from None
