"""An order: what a create request asks for, after every rule has passed.

Both dialects end in the same order, so the books and the render queue know nothing of dialects, and of a
product only what `Order` holds. A product with more to ask for has an order class of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

O = TypeVar("O", bound="Order")  # noqa: E741 - some kind of order

#: Fields that two orders may differ in and still look alike.
_UNSEEN = frozenset({"external_task_id", "watermark", "unreachable_media", "ignored"})


@dataclass(frozen=True)
class Order:
    """What every order has; `model` is the name that the client used, "" where a product has no models."""

    product: str
    model: str
    prompt: str
    external_task_id: str | None = field(default=None, kw_only=True)
    watermark: bool = field(default=False, kw_only=True)
    unreachable_media: bool = field(default=False, kw_only=True)
    ignored: tuple[str, ...] = field(default=(), kw_only=True)

    def words(self) -> str:
        """Return every text of the order in one string, for the marks `[fail]` and `[refuse]`."""
        return self.prompt

    def appearance(self) -> str:
        """Return a text that is equal for orders whose results look alike; media is in it as a hash."""
        seen = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in _UNSEEN}
        return repr({name: _short(value) for name, value in seen.items()})

    def without_media(self: O) -> O:
        """Return the order without the media it came with, for books that are kept."""
        media: dict[str, Any] = {
            entry.name: None for entry in fields(self) if isinstance(getattr(self, entry.name), bytes)
        }
        return replace(self, **media)


@dataclass(frozen=True)
class Shot:
    """One shot of a multi-shot video: its words and its whole seconds."""

    prompt: str
    seconds: int


@dataclass(frozen=True)
class Camera:
    """A camera move: Kling's `type`, and the six axes for `simple` (each -10..10)."""

    type: str
    horizontal: float = 0.0
    vertical: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True)
class VideoOrder(Order):
    """An order for a video. `start` and `end` are the encoded pictures, `rate` its units per second."""

    mode: str = "std"
    seconds: int = 5
    aspect_ratio: str = "16:9"
    negative_prompt: str = ""
    sound: bool = False
    voices: bool = False
    shots: tuple[Shot, ...] = ()
    camera: Camera | None = None
    start: bytes | None = field(default=None, repr=False)
    end: bytes | None = field(default=None, repr=False)
    rate: float = 1.0

    def words(self) -> str:
        """Return the prompt and the words of every shot."""
        return " ".join((self.prompt, *(shot.prompt for shot in self.shots)))


def _short(value: object) -> object:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
