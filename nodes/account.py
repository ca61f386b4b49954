"""What is left on the account."""

from __future__ import annotations

import json
import time
from typing import Any

from . import host
from .base import CATEGORY, HIDDEN


class KlingTakesAccount:
    """Says what is left on the account."""

    FUNCTION = "api_call"
    CATEGORY = CATEGORY
    OUTPUT_NODE = True
    DESCRIPTION = (
        "Shows the resource packs of your Kling account: units left, when they expire, and how many videos "
        "may be made at once. Free. Kling's numbers may be up to twelve hours old."
    )
    RETURN_TYPES = ("STRING", "STRING")
    RETURN_NAMES = ("text", "json")
    OUTPUT_TOOLTIPS = (
        "The packs, one a line, to read.",
        "The same as JSON, to work with.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return nothing to set: the account is that of the key."""
        return {"required": {}, "hidden": HIDDEN}

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> int:
        """Ask again on every Run, since it is free; but once a second at most, as Kling allows."""
        return int(time.time())

    async def api_call(
        self,
        auth_token: str | None = None,
        comfy_api_key: str | None = None,
        unique_id: str | None = None,
    ) -> dict[str, Any]:
        """Return the packs as text and as JSON, and show the text on the node."""
        from . import account_access

        async def work() -> dict[str, Any]:
            async with account_access.at_work(unique_id, auth_token, comfy_api_key) as (studio, reporter):
                summary = await studio.account()
                text = reporter.prefix + summary.text()
                reporter.say(text)
            return {
                "ui": {"text": [text]},
                "result": (text, json.dumps(summary.as_json(), indent=2, ensure_ascii=False)),
            }

        return await host.until_interrupted(work())
