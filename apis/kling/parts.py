"""The rules for what a video is made from, whatever the model: a camera move, a shot, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .models import Limits, ModelTable
from .requests import CAMERA_AXES
from .wording import listed, too_long


@dataclass(frozen=True)
class Problem:
    """One refusal: the widget that has to change, and the sentence that begins with its name."""

    widget: str
    text: str


def check_camera(
    camera_type: str, axes: Mapping[str, float | None], widgets: Mapping[str, str] | None = None
) -> list[Problem]:
    """What is wrong with a camera move: `axes` by Kling's names, None or absent where a value is not known.

    `widgets` gives the name of an axis on the node where it differs.
    """
    names = {axis: (widgets or {}).get(axis, axis) for axis in CAMERA_AXES}
    known = {axis: value for axis, value in axes.items() if value is not None}
    found = [
        Problem(names[axis], f"{names[axis]}: {value:g} is outside -10 to 10. Choose a value in between.")
        for axis, value in known.items()
        if not -10 <= value <= 10
    ]
    if found:
        return found
    moving = [names[axis] for axis in CAMERA_AXES if known.get(axis)]
    if camera_type != "simple":
        return [
            Problem(
                name,
                f"{name}: {camera_type} is a ready-made move and takes no value of its own. "
                f"Set {name} to 0, or the camera move to simple.",
            )
            for name in moving
        ]
    if len(moving) > 1:
        both = listed(moving, "and")
        text = f"a simple camera move goes along one axis, and {both} are set. Set all but one to 0."
        return [Problem(moving[0], f"{moving[0]}: {text}")]
    if not moving and len(known) == len(CAMERA_AXES):
        text = f"a simple camera move needs one axis that is not 0: {listed(list(names.values()), 'or')}."
        return [Problem(names["horizontal"], f"{names['horizontal']}: {text}")]
    return []


def check_shot(prompt: str | None, duration: int | None, table: ModelTable) -> list[Problem]:
    """What is wrong with one shot, whatever the model; None where a value is not known."""
    found = []
    most = table.shot_limits.characters
    if prompt is not None and not prompt.strip():
        found.append(Problem("prompt", "prompt: it is empty. Say what happens in this shot."))
    elif prompt is not None and len(prompt) > most:
        found.append(Problem("prompt", f"prompt: {too_long(len(prompt), most, 'a shot takes')}"))
    if duration is not None and duration < 1:
        found.append(Problem("seconds", f"seconds: a shot lasts at least 1 second, not {duration}."))
    return found


def picture_fault(width: int, height: int, limits: Limits) -> str | None:
    """Why Kling would refuse a picture of this size in pixels, as a sentence, or None."""
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
    """How many characters these bytes are as base64."""
    return (len(data) + 2) // 3 * 4
