"""A camera move as a field where the model has one, and in words where it has none.

No living model has the field (Kling's capability map, 2026-09-20), so the words are what most people get.
One phrasing: "The camera", how fast, the move. Up to 3 of 10 is "slowly", from 8 on it is "quickly", and
between them nothing is said. The sentence goes behind the prompt and counts towards its limit.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from . import facts
from .facts import Facts
from .models import Dialect, ModelSpec, ModelTable
from .requests import CAMERA_AXES, KlingCameraConfig, KlingCameraControl, VideoRequest

SLOWLY_UP_TO = 3.0
QUICKLY_FROM = 8.0

#: Each axis with its words below 0 and above 0. A longer lens (zoom below 0) brings things closer.
_MOVES = {
    "horizontal": ("slides to the left", "slides to the right"),
    "vertical": ("moves straight down", "rises straight up"),
    "pan": ("pans to the left", "pans to the right"),
    "tilt": ("tilts down", "tilts up"),
    "roll": ("rolls counter-clockwise", "rolls clockwise"),
    "zoom": ("zooms in", "zooms out"),
}

_PRESETS = {
    "down_back": "The camera moves down and backward.",
    "forward_up": "The camera moves forward and tilts up.",
    "right_turn_forward": "The camera turns to the right and moves forward.",
    "left_turn_forward": "The camera turns to the left and moves forward.",
}

_ENDS_A_SENTENCE = ".!?…。！？"


class Resolution(NamedTuple):
    """The request as it can be sent, how its camera move travels, and a sentence about that."""

    request: VideoRequest
    how: Literal["field", "prompt"] | None
    note: str


def moving_axes(config: KlingCameraConfig | None) -> list[str]:
    """The axes of a simple move that are not 0."""
    return [] if config is None else [axis for axis in CAMERA_AXES if getattr(config, axis)]


def words(control: KlingCameraControl) -> str:
    """The move in one plain sentence; ValueError where a simple move has not exactly one axis."""
    if control.type != "simple":
        return _PRESETS[control.type]
    axes = moving_axes(control.config)
    if len(axes) != 1:
        raise ValueError(f"A simple camera move goes along one axis, not {len(axes)}.")
    value: float = getattr(control.config, axes[0])
    move = _MOVES[axes[0]][value > 0]
    strength = abs(value)
    pace = "slowly " if strength <= SLOWLY_UP_TO else "quickly " if strength >= QUICKLY_FROM else ""
    return f"The camera {pace}{move}."


def with_words(prompt: str, control: KlingCameraControl) -> str:
    """The prompt with the move behind it."""
    start = prompt.rstrip()
    if not start:
        return words(control)
    stop = "" if start[-1] in _ENDS_A_SENTENCE else "."
    return f"{start}{stop} {words(control)}"


def goes_in_field(known: Facts, spec: ModelSpec, dialect: Dialect) -> bool:
    """Whether this video's move can be sent as the field `camera_control`.

    Kling takes the field or an end frame, not both; the field exists under /v1/ alone.
    """
    if known.camera is None or known.end_frame or known.has_shots or dialect != "legacy":
        return False
    return known.allowed("camera_field", spec, dialect)


def resolve(request: VideoRequest, table: ModelTable, dialect: Dialect | None = None) -> Resolution:
    """The request with its camera move where the model can take it; the given request is not changed.

    The request must have passed `rules.check`: it names what can't be done, this raises ValueError.
    """
    control = request.camera_control
    if control is None:
        return Resolution(request, None, "")
    spec = table.get(request.model_name)
    if spec is None:
        raise ValueError(f"{request.model_name} is not in the model table.")
    if goes_in_field(facts.of_request(request), spec, dialect or spec.preferred):
        return Resolution(request, "field", f"{spec.name} gets the camera move as its own field.")
    if request.shots:
        raise ValueError("A camera move belongs to one shot, and this video has several.")
    sent = request.model_copy(update={"prompt": with_words(request.prompt, control), "camera_control": None})
    note = f'The camera move was written into the prompt: "{words(control)}"'
    return Resolution(sent, "prompt", note)
