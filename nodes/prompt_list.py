"""Several prompts in one graph."""

from __future__ import annotations

import re
from typing import Any

from ..apis.errors import InvalidInput
from . import host
from .base import CATEGORY
from .validation import WidgetCheck

PROMPTS_TIP = (
    "One prompt a line. Each line becomes a video of its own, and is paid for. Empty lines are skipped."
)
EMPTY = "The list of prompts is empty. Write at least one line into prompts."


class KlingTakesPromptList:
    """Turns lines of text into a list of prompts."""

    FUNCTION = "make"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck("prompts")
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
        """Return the lines."""
        return {
            "required": {"prompts": ("STRING", {"default": "", "multiline": True, "tooltip": PROMPTS_TIP})},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or that there is no prompt."""
        return True if "prompts" not in known or lines_of(known["prompts"]) else EMPTY

    def make(self, prompts: str, unique_id: str | None = None) -> tuple[list[str]]:
        """Return the prompts in their order; raises InvalidInput when there are none."""
        lines = lines_of(prompts)
        if not lines:
            raise InvalidInput(EMPTY, widget="prompts")
        host.send_text(f"{len(lines)} prompts, one video each.", unique_id)
        return (lines,)


def lines_of(text: str) -> list[str]:
    """Return the lines that have something in them, without the spaces around them."""
    # Only these: a pasted prompt may hold other marks that Python takes for the end of a line.
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
