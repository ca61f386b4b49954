"""The pack's only door to ComfyUI: folders, progress, interrupt, VIDEO.

ComfyUI is imported inside the functions, so that everything else here can be read, typed and tested on a
machine without it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from ..apis.cancelling import unless
from ..apis.reporter import TakeReporter

T = TypeVar("T")

#: the pack's folder under ComfyUI's user directory becomes ``__kling_takes``, which is not served by HTTP
USER_FOLDER = "kling_takes"
#: steps of a node's progress bar
PROGRESS_STEPS = 100


def user_dir() -> Path:
    """Return the folder for journal, credentials and the user's own models; never served over HTTP."""
    import folder_paths

    return Path(folder_paths.get_system_user_directory(USER_FOLDER))


def comfy_api_base() -> str:
    """Return the address of the Comfy.org API that this ComfyUI was started with."""
    from comfy.cli_args import args

    return str(getattr(args, "comfy_api_base", None) or "https://api.comfy.org")


def executing() -> tuple[str | None, str | None, int]:
    """Return prompt id, node id and list index of the node that runs now."""
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    if context is None:
        return None, None, 0
    return context.prompt_id, context.node_id, context.list_index or 0


def video_from_file(path: Path) -> Any:
    """Return a VIDEO that reads the file when it is needed; the file is not loaded here."""
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path))


async def until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` and leave within a second when the user presses Cancel.

    Raises ComfyUI's exception for a clean "interrupted". The flag stays up for the other nodes.
    """
    from comfy.model_management import InterruptProcessingException, processing_interrupted

    return await unless(processing_interrupted, work, InterruptProcessingException)


def add_route(path: str, answer: Callable[[web.Request], Awaitable[web.Response]]) -> None:
    """Let ComfyUI's server answer GET requests for ``path``; do nothing where no server runs."""
    server = sys.modules.get("server")
    instance = getattr(getattr(server, "PromptServer", None), "instance", None)
    if instance is not None:
        instance.routes.get(path)(answer)


def send_text(text: str, node_id: str | None) -> None:
    """Show a text on a node in every open browser."""
    from server import PromptServer

    if node_id is not None and getattr(PromptServer, "instance", None) is not None:
        PromptServer.instance.send_progress_text(text, node_id)


def send_progress(fraction: float, node_id: str | None) -> None:
    """Move a node's progress bar; do nothing while an interrupt waits to be noticed.

    ComfyUI's own hook clears the interrupt flag and raises. The flag has to stay for all nodes of the graph,
    so it is put up again.
    """
    from comfy.model_management import (
        InterruptProcessingException,
        interrupt_current_processing,
        processing_interrupted,
    )
    from comfy.utils import ProgressBar

    if node_id is None or processing_interrupted():
        return
    try:
        ProgressBar(PROGRESS_STEPS, node_id=node_id).update_absolute(round(fraction * PROGRESS_STEPS))
    except InterruptProcessingException:
        interrupt_current_processing(True)


def reporter(node_id: str | None) -> TakeReporter:
    """Return who says on the node that runs now what its take is doing; ``node_id`` is its own name."""
    prompt_id, executed, place = executing()
    node = node_id or executed

    def show(text: str, fraction: float) -> None:
        send_text(text, node)
        send_progress(fraction, node)

    return TakeReporter(prompt_id, node, place, show)
