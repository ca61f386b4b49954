"""Fetching a paid video again, and what is left on the account."""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import BaseModel, Field

from ..apis.errors import InvalidInput
from . import host
from .base import ABSENT, CATEGORY, HIDDEN, KlingNodeBase, model_table
from .inputs import model_field_to_node_input

ANY_PRODUCT = "auto"


class Recovery(BaseModel):
    """What it takes to find a task again."""

    task_id: str = Field(
        default="",
        title="Task ID",
        description="A task id, or an external task id that begins with kt-. Both stand in the error of a "
        "take that did not arrive, and the task id on the output Kling ID.",
    )
    product: str = Field(
        default=ANY_PRODUCT,
        title="Product",
        description="What kind of task it is. auto looks for it everywhere and asks Kling a few times more.",
    )


class KlingTakesRecover:
    """Fetches the video of a task that was paid before."""

    FUNCTION = "api_call"
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Fetches a video that is already paid for, by its id: after a crash, from another computer, or one "
        "that was made outside ComfyUI. Buys nothing. Kling keeps videos for 30 days. A task that still runs "
        "is waited for."
    )
    RETURN_TYPES = ("VIDEO", "STRING", "STRING", "STRING", "STRING")
    RETURN_NAMES = ("VIDEO", "Kling ID", "external task id", "Duration (sec)", "status")
    OUTPUT_TOOLTIPS = (
        *KlingNodeBase.OUTPUT_TOOLTIPS[:2],
        "The id this pack gave the task, or nothing if it has none.",
        KlingNodeBase.OUTPUT_TOOLTIPS[2],
        "What Kling says about the task.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The id, and the kind of task if it is known."""
        from ..apis.kling.dialects import QUERY_PRODUCTS

        products = [ANY_PRODUCT, *QUERY_PRODUCTS]
        return {
            "required": {
                "task_id": model_field_to_node_input("STRING", Recovery, "task_id"),
                "product": model_field_to_node_input("COMBO", Recovery, "product", options=products),
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(cls, task_id: Any = ABSENT) -> bool | str:
        """Refuse an id that can't be one, before anything runs."""
        return True if task_id is ABSENT or task_id is None else problem_of_id(task_id) or True

    async def api_call(
        self,
        task_id: str,
        product: str,
        auth_token: str | None = None,
        comfy_api_key: str | None = None,
        unique_id: str | None = None,
    ) -> tuple[Any, str, str, str, str]:
        """Give the video, both ids, its length and the status.

        Raises NotFound when Kling has no such task.
        """
        from . import studio

        async def work() -> tuple[Any, str, str, str, str]:
            problem = problem_of_id(task_id)
            if problem:
                raise InvalidInput(problem, widget="task_id")
            with host.NodeReporter(unique_id) as reporter:
                account = await studio.open_studio(model_table(), auth_token, comfy_api_key)
                reporter.mark = account.mark
                reporter.say("Getting ready")
                found = await account.studio.recover(
                    task_id.strip(),
                    product=None if product == ANY_PRODUCT else product,
                    files=host.temp_dir(),
                    reporter=reporter,
                )
                reporter.say(studio.closing_text(found))
                return (
                    host.video_from_file(found.path),
                    found.task_id,
                    found.external_task_id or "",
                    found.duration,
                    found.status,
                )

        return await host.until_interrupted(work())


def problem_of_id(text: str) -> str | None:
    """Say what is wrong with an id, or None; an id has no spaces or slashes (it becomes part of a path)."""
    name = text.strip()
    if not name:
        return "task_id is empty. Paste a task id, or an external task id that begins with kt-."
    if len(name) > 128 or not all(char.isascii() and (char.isalnum() or char in "-_") for char in name):
        return (
            "task_id is not an id of a task: it may have letters, digits, - and _, up to 128 of them. "
            "Paste it without quotes, spaces or an address around it."
        )
    return None


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
        """Nothing to set: the account is that of the key."""
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
        """Give the packs as text and as JSON, and show the text on the node."""
        from . import studio

        async def work() -> dict[str, Any]:
            account = await studio.open_studio(model_table(), auth_token, comfy_api_key)
            summary = await account.studio.account()
            text = account.mark + summary.text()
            host.send_text(text, unique_id)
            return {
                "ui": {"text": [text]},
                "result": (text, json.dumps(summary.as_json(), indent=2, ensure_ascii=False)),
            }

        return await host.until_interrupted(work())
