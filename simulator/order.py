"""An order: what a create request asks for, after every rule has passed.

Both dialects end in the same order, so the books and the renderer know nothing of dialects.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
class Order:
    """What is to be made. `start` and `end` are the encoded pictures, `model` the name the client used."""

    product: str
    model: str
    prompt: str
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
    unreachable_media: bool = False
    watermark: bool = False
    external_task_id: str | None = None
    ignored: tuple[str, ...] = ()

    def words(self) -> str:
        """Return every text of the order in one string, for the practice marks `[fail]` and `[refuse]`."""
        return " ".join((self.prompt, *(shot.prompt for shot in self.shots)))
