"""How the camera moves through a simulated video: a move and a moment become a view. Pure.

A view says where the camera is. What is seen moves the other way: a camera that slides to the right makes
the scene slide to the left. Only roll is told of the picture, as Kling's documents can be read: above 0 it
turns clockwise.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .order import Camera

#: What 10 on an axis does until the end of the video.
SHIFT = 0.42  # of the frame's width or height
TURN = 35.0  # degrees
LENS = 0.55  # the view narrows to (or widens from) 1 / (1 + LENS)
#: A video without a camera move drifts a little, so that it is seen to play.
DRIFT = 0.035  # of the frame's width

_PACE = {"slowly": 3.0, "quickly": 10.0}
_WORDS = (
    (r"down and back(?:wards?)?", "down_back"),
    (r"forwards? and tilts? up", "forward_up"),
    (r"turns? (?:to the )?right and moves? forward", "right_turn_forward"),
    (r"turns? (?:to the )?left and moves? forward", "left_turn_forward"),
    (r"(?:slides?|trucks?|moves?) (?:to the )?left", "horizontal-"),
    (r"(?:slides?|trucks?|moves?) (?:to the )?right", "horizontal+"),
    (r"(?:moves?|sinks?|lowers?) (?:straight )?down", "vertical-"),
    (r"(?:rises?|moves?) (?:straight )?up", "vertical+"),
    (r"pans? (?:to the )?left", "pan-"),
    (r"pans? (?:to the )?right", "pan+"),
    (r"tilts? down", "tilt-"),
    (r"tilts? up", "tilt+"),
    (r"rolls? (?:counter-?|anti-?)clockwise", "roll-"),
    (r"rolls? clockwise", "roll+"),
    (r"zooms? in", "zoom-"),
    (r"zooms? out", "zoom+"),
)
_SENTENCE = re.compile(r"\bcamera\b([^.!?;]*)", re.IGNORECASE)


@dataclass(frozen=True)
class View:
    """Where the camera is: `x`, `y` in frames (right and up are positive).

    `roll` is the picture's turn in degrees clockwise; `scale` magnifies. `parallax` is 1 for a camera that
    travels (near things move more) and 0 for one that turns.
    """

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    parallax: float = 0.0


def view_at(camera: Camera | None, moment: float) -> View:
    """Return the view at `moment` (0 at the first frame, 1 at the last)."""
    if camera is None:
        return View(x=DRIFT * (2 * moment - 1), parallax=1.0)
    done = _ease(moment)
    if camera.type == "simple":
        return _simple(camera, done)
    if camera.type == "down_back":
        return View(y=-0.7 * SHIFT * done, scale=_lens(1.0 - done), parallax=1.0)
    if camera.type == "forward_up":
        return View(y=0.7 * SHIFT * done, scale=_lens(done))
    side = 1.0 if camera.type == "right_turn_forward" else -1.0
    return View(x=side * 0.8 * SHIFT * done, scale=_lens(0.8 * done))


def _simple(camera: Camera, done: float) -> View:
    zoom = camera.zoom / 10
    # A longer focal length (below 0) comes closer; a shorter one starts close and ends wide.
    scale = _lens(-zoom * done) if zoom <= 0 else _lens(zoom * (1 - done))
    return View(
        x=SHIFT * (camera.horizontal + camera.pan) / 10 * done,
        y=SHIFT * (camera.vertical + camera.tilt) / 10 * done,
        roll=TURN * camera.roll / 10 * done,
        scale=scale,
        parallax=1.0 if camera.horizontal or camera.vertical else 0.0,
    )


def _lens(amount: float) -> float:
    return 1.0 + LENS * amount


def _ease(moment: float) -> float:
    return (1 - math.cos(math.pi * min(max(moment, 0.0), 1.0))) / 2


def camera_in_words(prompt: str) -> Camera | None:
    """Return the camera move that a prompt asks for in words, or None.

    On a model without a camera field this is the way a move reaches it, and a simulated video should show it
    as the model would.
    """
    for sentence in _SENTENCE.findall(prompt):
        for words, move in _WORDS:
            if re.search(rf"\b(?:{words})\b", sentence, re.IGNORECASE):
                pace = next((value for word, value in _PACE.items() if word in sentence.lower()), 6.0)
                if move[-1] not in "+-":
                    return Camera(move)
                return Camera("simple", **{move[:-1]: pace if move[-1] == "+" else -pace})
    return None


def name(camera: Camera) -> str:
    """Return a move in a few words for the video's caption ("camera pan +6")."""
    if camera.type != "simple":
        return f"camera {camera.type.replace('_', ' ')}"
    axes = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")
    moving = [f"{axis} {getattr(camera, axis):+g}" for axis in axes if getattr(camera, axis)]
    return f"camera {', '.join(moving)}"
