"""One shot of a video with several."""

from __future__ import annotations

from typing import Any

from ..apis.errors import InvalidInput, refuse
from ..apis.kling.shots import KlingShot, check_shot, total_seconds
from . import host
from .base import CATEGORY
from .inputs import model_field_to_node_input, model_table
from .validation import WidgetCheck


class KlingTakesShot:
    """One shot of a video that is cut from several."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck()
    DESCRIPTION = (
        "One shot of a video with several shots. Chain up to six: the shots of one node go into "
        "previous_shots of the next, and the last goes into the input shots of a video node. The seconds of "
        "all shots are the length of the video."
    )
    RETURN_TYPES = ("KLING_SHOTS",)
    RETURN_NAMES = ("shots",)
    OUTPUT_TOOLTIPS = ("All shots up to this one, for the next shot or for a video node.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return words, seconds and the shots before; none is longer than the longest video."""
        lengths = [max(spec.durations) for spec in model_table().having("shots")]
        return {
            "required": {
                "prompt": model_field_to_node_input("STRING", KlingShot, "prompt"),
                "seconds": model_field_to_node_input(
                    "INT", KlingShot, "duration", max=max(lengths, default=None)
                ),
            },
            "optional": {
                "previous_shots": (
                    "KLING_SHOTS",
                    {"tooltip": "The shots that come before this one. Leave it free for the first shot."},
                ),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def judged_inputs(cls) -> list[str]:
        """Return the prompt; ComfyUI checks the bounds of the seconds itself."""
        return ["prompt"]

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or that the prompt is empty or too long."""
        problems = check_shot(known.get("prompt"), None, model_table())
        return " ".join(problem.text for problem in problems) or True

    def make(
        self,
        prompt: str,
        seconds: int,
        previous_shots: tuple[KlingShot, ...] | None = None,
        unique_id: str | None = None,
    ) -> tuple[tuple[KlingShot, ...]]:
        """Return the shots so far with this one at the end; the shots handed in are not changed."""
        refuse(check_shot(prompt, seconds, model_table()))
        shots = (*(previous_shots or ()), KlingShot(prompt=prompt, duration=seconds))
        most = model_table().shot_limits.most
        if len(shots) > most:
            raise InvalidInput(
                f"A video has at most {most} shots, and this is number {len(shots)}. "
                "Take one out of the chain, or make a second video and join them.",
                widget="previous_shots",
            )
        host.send_text(f"Shot {len(shots)}, {total_seconds(shots)} s so far.", unique_id)
        return (shots,)
