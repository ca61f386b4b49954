"""Fetching what is paid for again, by its id."""

from __future__ import annotations

from typing import Any

from ..apis.ids import problem_of_id
from . import host
from .base import CATEGORY, HIDDEN, KlingVideoNodeBase
from .validation import WidgetCheck

ANY_PRODUCT = "auto"
ID_TIP = (
    "A task id, or an external task id that begins with kt-. Both stand in the error of a take that did not "
    "arrive, and the task id on the output Kling ID."
)
PRODUCT_TIP = "What kind of task it is. auto looks for it everywhere and asks Kling a few times more."


class KlingTakesRecover:
    """Fetches the video of a task that was paid before."""

    FUNCTION = "api_call"
    CATEGORY = CATEGORY
    VALIDATE_INPUTS = WidgetCheck("task_id")
    DESCRIPTION = (
        "Fetches a video that is already paid for, by its id: after a crash, from another computer, or one "
        "that was made outside ComfyUI. Buys nothing. Kling keeps videos for 30 days. A task that still runs "
        "is waited for."
    )
    RETURN_TYPES = ("VIDEO", "STRING", "STRING", "STRING", "STRING")
    RETURN_NAMES = ("VIDEO", "Kling ID", "external task id", "Duration (sec)", "status")
    OUTPUT_TOOLTIPS = (
        *KlingVideoNodeBase.OUTPUT_TOOLTIPS[:2],
        "The id this pack gave the task, or nothing if it has none.",
        KlingVideoNodeBase.OUTPUT_TOOLTIPS[2],
        "What Kling says about the task.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the id, and the kind of task if it is known."""
        from ..apis.kling.products import legacy_paths

        products = [ANY_PRODUCT, *legacy_paths()]
        return {
            "required": {
                "task_id": ("STRING", {"default": "", "tooltip": ID_TIP}),
                "product": (products, {"default": ANY_PRODUCT, "tooltip": PRODUCT_TIP}),
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or why the id can't be one."""
        return ("task_id" in known and problem_of_id(known["task_id"])) or True

    async def api_call(
        self,
        task_id: str,
        product: str,
        auth_token: str | None = None,
        comfy_api_key: str | None = None,
        unique_id: str | None = None,
    ) -> tuple[Any, str, str, str, str]:
        """Return the video, both ids, its length and the status.

        Raises NotFound when Kling has no such task.
        """
        from . import account_access

        async def work() -> tuple[Any, str, str, str, str]:
            hidden = auth_token, comfy_api_key
            async with account_access.at_work(unique_id, *hidden) as (studio, reporter):
                kind = None if product == ANY_PRODUCT else product
                found = await studio.recover(task_id, product=kind, files=studio.files, reporter=reporter)
                reporter.say(found.receipt)
                video = host.video_from_file(found.of_kind("video")[0].path)
                return video, found.task_id, found.external_task_id or "", found.duration, found.status

        return await host.until_interrupted(work())
