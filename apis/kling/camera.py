"""A camera move: its parts, what is wrong with one, and the move in words for models without a field for it.

One phrasing: "The camera", how fast, the move. Up to 3 of 10 is "slowly", from 8 on it is "quickly", and
between them nothing is said. The sentence goes behind the prompt and counts towards its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

from pydantic import Field

from .phrasing import listed
from .problem import Problem
from .schema import Exact, Named, Part

CameraType = Literal["simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward"]

#: The six ways a simple camera move can go, in the order of Kling's document.
CAMERA_AXES = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")

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


def _axis(title: str, description: str, **extra: Any) -> Any:
    return Field(
        default=0.0,
        ge=-10.0,
        le=10.0,
        title=title,
        description=description + " Use one of the six and leave the others at 0.",
        json_schema_extra={"step": 0.25, "slider": True, **extra},
    )


class KlingCameraConfig(Exact, Named):
    """How far a simple camera move goes along each axis, -10..10; exactly one is not 0."""

    horizontal: float = _axis(
        "Horizontal",
        "Slides the camera sideways: below 0 to the left, above 0 right.",
        widget="horizontal_movement",
    )
    vertical: float = _axis(
        "Vertical", "Lifts or lowers the camera: below 0 down, above 0 up.", widget="vertical_movement"
    )
    pan: float = _axis(
        "Pan",
        "Turns the camera where it stands, like shaking the head: below 0 to the left, above 0 to the right. "
        "Kling's documents disagree on pan and tilt; older ones have them the other way round.",
    )
    tilt: float = _axis(
        "Tilt",
        "Tips the camera where it stands, like nodding: below 0 down, above 0 up. "
        "Kling's documents disagree on pan and tilt; older ones have them the other way round.",
    )
    roll: float = _axis(
        "Roll", "Rolls the picture around its centre: below 0 counter-clockwise, above 0 clockwise."
    )
    zoom: float = _axis(
        "Zoom", "Changes the lens: below 0 narrower, so things come closer; above 0 wider, so more is seen."
    )


class KlingCameraControl(Part):
    """A camera move: ``simple`` with a config of one axis, or one of four presets without a config."""

    type: CameraType = Field(
        default="simple",
        title="Camera move",
        description="simple: one move of your own, set below. down_back: the camera sinks and moves back. "
        "forward_up: it moves forward and tips up. right_turn_forward, left_turn_forward: it turns, "
        "then moves forward.",
    )
    config: KlingCameraConfig | None = None

    def in_take(self) -> Any:
        """Return the type, and the axes that are not 0."""
        found: dict[str, Any] = {"type": self.type}
        if self.config is not None:
            axes = {axis: getattr(self.config, axis) for axis in CAMERA_AXES}
            found["config"] = {axis: value for axis, value in axes.items() if value}
        return found

    @property
    def moving_axes(self) -> list[str]:
        """The axes of a simple move that are not 0."""
        return [axis for axis in CAMERA_AXES if getattr(self.config, axis, 0.0)]

    @property
    def is_whole(self) -> bool:
        """Whether it is a move that there is: a preset, or a simple move along one axis."""
        return self.type != "simple" or len(self.moving_axes) == 1


def words(control: KlingCameraControl) -> str:
    """Return the move in one plain sentence; ValueError where a simple move has not exactly one axis."""
    if control.type != "simple":
        return _PRESETS[control.type]
    axes = control.moving_axes
    if len(axes) != 1:
        raise ValueError(f"A simple camera move goes along one axis, not {len(axes)}.")
    value: float = getattr(control.config, axes[0])
    move = _MOVES[axes[0]][value > 0]
    strength = abs(value)
    pace = "slowly " if strength <= SLOWLY_UP_TO else "quickly " if strength >= QUICKLY_FROM else ""
    return f"The camera {pace}{move}."


def with_words(prompt: str, control: KlingCameraControl) -> str:
    """Return the prompt with the move behind it."""
    start = prompt.rstrip()
    if not start:
        return words(control)
    stop = "" if start[-1] in _ENDS_A_SENTENCE else "."
    return f"{start}{stop} {words(control)}"


def check_movements(camera_type: str, movements: Mapping[str, float]) -> Iterator[Problem]:
    """Yield what is wrong with a move as a node has it: ``movements`` by their widgets, as far as known."""
    types = get_args(CameraType)
    if camera_type not in types:
        text = f"there is no move {camera_type!r}. Choose one of {', '.join(types)}."
        yield Problem("camera_control_type", f"camera_control_type: {text}")
        return
    axis_of = KlingCameraConfig.fields_by_widget()
    axes = {axis_of[widget]: value for widget, value in movements.items()}
    yield from check_camera(camera_type, axes, KlingCameraConfig.widget_of)


def check_camera(
    camera_type: str,
    axes: Mapping[str, float | None],
    widget_of: Callable[[str], str] = lambda axis: axis,
) -> Iterator[Problem]:
    """Yield what is wrong with a move: ``axes`` by Kling's names, None or absent where a value is not known.

    ``widget_of`` gives the name of an axis on the node where it differs.
    """
    names = {axis: widget_of(axis) for axis in CAMERA_AXES}
    known = {axis: value for axis, value in axes.items() if value is not None}
    outside = {axis: value for axis, value in known.items() if not -10 <= value <= 10}
    for axis, value in outside.items():
        name = names[axis]
        yield Problem(name, f"{name}: {value:g} is outside -10 to 10. Choose a value in between.")
    if outside:
        return
    moving = [names[axis] for axis in CAMERA_AXES if known.get(axis)]
    if camera_type != "simple":
        for name in moving:
            yield Problem(
                name,
                f"{name}: {camera_type} is a ready-made move and takes no value of its own. "
                f"Set {name} to 0, or the camera move to simple.",
            )
    elif len(moving) > 1:
        both = listed(moving, "and")
        text = f"a simple camera move goes along one axis, and {both} are set. Set all but one to 0."
        yield Problem(moving[0], f"{moving[0]}: {text}")
    elif not moving and len(known) == len(CAMERA_AXES):
        text = f"a simple camera move needs one axis that is not 0: {listed(list(names.values()), 'or')}."
        yield Problem(names["horizontal"], f"{names['horizontal']}: {text}")
