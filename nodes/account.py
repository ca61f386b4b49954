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
        "may be made at once. Checks Kling's bill of the last 30 days against the takes bought here. Free. "
        "Kling's numbers may be up to twelve hours old."
    )
    RETURN_TYPES = ("STRING", "STRING", "STRING")
    RETURN_NAMES = ("text", "json", "audit")
    OUTPUT_TOOLTIPS = (
        "The packs, one a line, to read.",
        "The same as JSON, to work with.",
        "Whether Kling's own bill and the takes bought here agree, and what there is to look at.",
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
        """Return the packs as text and as JSON and what the bill says, and show both texts on the node."""
        from . import account_access

        async def work() -> dict[str, Any]:
            async with account_access.at_work(unique_id, auth_token, comfy_api_key) as (studio, reporter):
                summary = await studio.account()
                packs = summary.text()
                reporter.say(packs)
                audit = (await studio.audit()).text()
                reporter.say(f"{packs}\n\n{audit}")
            text, audit = (reporter.prefix + said for said in (packs, audit))
            return {
                "ui": {"text": [text, audit]},
                "result": (text, json.dumps(summary.as_json(), indent=2, ensure_ascii=False), audit),
            }

        return await host.until_interrupted(work())
