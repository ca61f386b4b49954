"""One shot of a video with several."""

from __future__ import annotations

from typing import Any

from ..apis.errors import InvalidInput, refuse
from ..apis.kling.shots import KlingShot, chained, check_shot, total_seconds
from . import host
from .base import CATEGORY
from .inputs import model_field_to_node_input, model_table
from .validation import WidgetCheck


class KlingTakesShot:
    """One shot of a video that is cut from several."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck("prompt")
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
        try:
            shots = chained(previous_shots or (), prompt, seconds, model_table())
        except ValueError as error:
            raise InvalidInput(str(error), widget="previous_shots") from None
        host.send_text(f"Shot {len(shots)}, {total_seconds(shots)} s so far.", unique_id)
        return (shots,)
