"""Several shots in one video, and several prompts in one graph."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ..apis.errors import InvalidInput
from ..apis.kling import rules
from ..apis.kling.requests import KlingShot
from . import host
from .base import ABSENT, CATEGORY, model_table, refuse
from .inputs import model_field_to_node_input


class KlingTakesShot:
    """One shot of a video that is cut from several."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
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
        """The shot's words and seconds, and the shots before it; no shot is longer than the longest video."""
        lengths = [max(spec.durations) for spec in model_table().specs.values() if spec.can("shots")]
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
    def VALIDATE_INPUTS(cls, prompt: Any = ABSENT) -> bool | str:
        """Refuse an empty or too long prompt before anything runs."""
        known = None if prompt is ABSENT else prompt
        return " ".join(problem.text for problem in rules.check_shot(known, None, model_table())) or True

    def make(
        self,
        prompt: str,
        seconds: int,
        previous_shots: tuple[KlingShot, ...] | None = None,
        unique_id: str | None = None,
    ) -> tuple[tuple[KlingShot, ...]]:
        """Give the shots so far with this one at the end; the shots handed in are not changed."""
        refuse(rules.check_shot(prompt, seconds, model_table()))
        shots = (*(previous_shots or ()), KlingShot(prompt=prompt, duration=seconds))
        most = model_table().shot_limits.most
        if len(shots) > most:
            raise InvalidInput(
                f"A video has at most {most} shots, and this is number {len(shots)}. "
                "Take one out of the chain, or make a second video and join them.",
                widget="previous_shots",
            )
        host.send_text(f"Shot {len(shots)}, {sum(shot.duration for shot in shots)} s so far.", unique_id)
        return (shots,)


class Prompts(BaseModel):
    """A list of prompts as an artist writes it."""

    prompts: str = Field(
        default="",
        title="Prompts",
        description="One prompt a line. Each line becomes a video of its own, and is paid for. Empty lines "
        "are skipped.",
        json_schema_extra={"multiline": True},
    )


class KlingTakesPromptList:
    """Turns lines of text into a list of prompts."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "One prompt a line. A video node that is fed with the list makes one video of each, all at the same "
        "time, as far as your Kling account allows."
    )
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("prompt",)
    OUTPUT_IS_LIST = (True,)
    OUTPUT_TOOLTIPS = ("The prompts as a list. Connect it to the input prompt of a video node.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The lines."""
        return {
            "required": {"prompts": model_field_to_node_input("STRING", Prompts, "prompts")},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, prompts: Any = ABSENT) -> bool | str:
        """Refuse a list without a prompt before anything runs."""
        if prompts is ABSENT or prompts is None or lines_of(prompts):
            return True
        return "The list of prompts is empty. Write at least one line into prompts."

    def make(self, prompts: str, unique_id: str | None = None) -> tuple[list[str]]:
        """Give the prompts in their order; raises InvalidInput when there are none."""
        lines = lines_of(prompts)
        if not lines:
            raise InvalidInput(
                "The list of prompts is empty. Write at least one line into prompts.", widget="prompts"
            )
        host.send_text(f"{len(lines)} prompts, one video each.", unique_id)
        return (lines,)


def lines_of(text: str) -> list[str]:
    """The lines that have something in them, without the spaces around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]
