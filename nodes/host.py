"""The pack's only door to ComfyUI: folders, progress, interrupt, VIDEO.

ComfyUI is imported inside the functions, so that everything else here can be read, typed and tested on a
machine without it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from aiohttp import web

from ..apis.board import Board, Line, Stage
from ..apis.cancelling import unless

T = TypeVar("T")

#: the pack's folder under ComfyUI's user directory becomes ``__kling_takes``, which is not served by HTTP
USER_FOLDER = "kling_takes"
#: steps of a node's progress bar
PROGRESS_STEPS = 100
#: seconds between two texts about a list
TEXT_EVERY = 1.0


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


class NodeReporter:
    """Shows on the node what its take is doing: a text and the bar.

    ``prefix`` stands before every line; it says where no money is real. Of a list the browser gets one text a
    second, however many items it has.
    """

    boards: ClassVar[dict[tuple[str | None, str | None], Board]] = {}

    def __init__(self, node_id: str | None) -> None:
        """Begin; it belongs to the node that runs now, and ``node_id`` is what that node calls itself."""
        self.prompt_id, executed, self.index = executing()
        self.node_id = node_id or executed
        self.board = self.boards.setdefault((self.prompt_id, self.node_id), Board())
        self.line = self.board.lines[self.index] = Line()
        self.prefix = ""

    def __enter__(self) -> NodeReporter:
        """Belong to the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave the last line readable until all items of the node are done."""
        self.line.stage, self.line.fraction = Stage.FAILED if kind else Stage.DONE, 1.0
        if self.board.over:
            self._show()
            self.boards.pop((self.prompt_id, self.node_id), None)

    def note(self, text: str) -> None:
        """Keep a sentence below the changing line, such as the price."""
        self.board.note(self.index, text)

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Show what happens now; ``elapsed`` and ``expected`` in seconds."""
        self.line.state(text, elapsed, expected)
        self.show()

    def say(self, text: str) -> None:
        """Show a line that takes no time: the bar stays where it is."""
        self.line.text = text
        self.show()

    def show(self) -> None:
        """Show the board now, or within a second where it has many items."""
        if len(self.board.lines) == 1:
            self._show()
        elif not self.board.is_due:
            self.board.is_due = True
            asyncio.get_running_loop().call_later(TEXT_EVERY, self._show)

    def _show(self) -> None:
        self.board.is_due = False
        send_text(self.board.text(self.prefix), self.node_id)
        send_progress(self.board.fraction, self.node_id)
