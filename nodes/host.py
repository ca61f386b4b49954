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

T = TypeVar("T")

#: seconds between two looks at ComfyUI's interrupt flag; Cancel is to be answered within one second
INTERRUPT_CHECK = 0.2
#: seconds a cancelled take gets to write down where it stands
CANCEL_GRACE = 0.5
#: the pack's folder under ComfyUI's user directory becomes ``__kling_takes``, which is not served by HTTP
USER_FOLDER = "kling_takes"
#: steps of a node's progress bar
PROGRESS_STEPS = 100
#: how full the bar gets before the video is there: an estimate must not look like an end
PROGRESS_BEFORE_END = 0.95


def user_dir() -> Path:
    """Return the folder for journal, credentials and the user's own models; never served over HTTP."""
    import folder_paths

    return Path(folder_paths.get_system_user_directory(USER_FOLDER))


def temp_dir() -> Path:
    """Return the folder for downloaded videos, made if absent; ComfyUI wipes it at start and at exit."""
    import folder_paths

    folder = Path(folder_paths.get_temp_directory()) / USER_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def interrupted() -> bool:
    """Return whether the user pressed Cancel; the flag stays up for the other nodes."""
    from comfy.model_management import processing_interrupted

    return bool(processing_interrupted())


def interrupt_exception() -> Exception:
    """Return what to raise for a clean "interrupted"."""
    from comfy.model_management import InterruptProcessingException

    error: Exception = InterruptProcessingException()
    return error


async def until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` and leave within a second when the user presses Cancel.

    ``work`` is cancelled and gets half a second to write down where it stands; slower cleaning up does not
    keep the user waiting. Raises ComfyUI's interrupt exception on Cancel. A CancelledError that comes from
    outside (another node of the graph failed) is passed on to ``work`` and then raised.

    An error of a node that ends in its very first step is recorded by ComfyUI with all its inputs, the
    Comfy.org token among them, and can then be read in the history. So ``work`` always runs as a task of its
    own: ComfyUI records no inputs for a node that it had to wait for.
    """
    if interrupted():
        work.close()
        raise interrupt_exception()
    task = asyncio.ensure_future(work)
    task.add_done_callback(_look_at_outcome)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=INTERRUPT_CHECK)
            if done:
                return task.result()
            if interrupted():
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_GRACE)
                raise interrupt_exception()
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_GRACE)
        raise


def _look_at_outcome(task: asyncio.Future[Any]) -> None:
    """Look at an abandoned task's error; asyncio would print it as never retrieved."""
    if not task.cancelled():
        task.exception()


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
    from comfy.model_management import InterruptProcessingException, interrupt_current_processing
    from comfy.utils import ProgressBar

    if node_id is None or interrupted():
        return
    try:
        ProgressBar(PROGRESS_STEPS, node_id=node_id).update_absolute(round(fraction * PROGRESS_STEPS))
    except InterruptProcessingException:
        interrupt_current_processing(True)


class NodeReporter:
    """Shows on the node what its take is doing: a line of text and the bar.

    ``prefix`` stands before every line; it says where no money is real. ``notes`` are sentences below the
    line. A node fed with a list runs all items at once under one node id, so their lines are kept together
    in ``lines`` and shown below each other.
    """

    lines: ClassVar[dict[tuple[str | None, str | None], dict[int, tuple[str, float]]]] = {}

    def __init__(self, node_id: str | None) -> None:
        """Begin; it belongs to the node that runs now, and ``node_id`` is what that node calls itself."""
        self.prompt_id, executed, self.index = executing()
        self.node_id = node_id or executed
        self.notes: list[str] = []
        self.prefix = ""

    def __enter__(self) -> NodeReporter:
        """Take a line among the node's."""
        self._lines()[self.index] = ("", 0.0)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last line readable until all items of the node are done."""
        lines = self._lines()
        text, _fraction = lines.get(self.index, ("", 0.0))
        lines[self.index] = (text, 1.0)
        if all(fraction >= 1.0 for _text, fraction in lines.values()):
            self.lines.pop((self.prompt_id, self.node_id), None)

    def note(self, text: str) -> None:
        """Keep a sentence below the changing line, such as the price."""
        if text and text not in self.notes:
            self.notes.append(text)

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Show what happens now; ``elapsed`` and ``expected`` in seconds."""
        fraction = 0.0
        if expected and expected > 0:
            fraction = min(elapsed / expected, 1.0) * PROGRESS_BEFORE_END
        line = f"{text} · {elapsed:.0f} s" + (f" of about {expected:.0f} s" if expected else "")
        self._show("\n".join([line, *self.notes]), fraction)

    def say(self, text: str) -> None:
        """Show a line that takes no time: the bar stays where it is."""
        self._show("\n".join([text, *self.notes]), self._lines().get(self.index, ("", 0.0))[1])

    def _lines(self) -> dict[int, tuple[str, float]]:
        return self.lines.setdefault((self.prompt_id, self.node_id), {})

    def _show(self, text: str, fraction: float) -> None:
        text = text if text.startswith(self.prefix) else self.prefix + text
        lines = self._lines()
        lines[self.index] = (text, fraction)
        shown = [line for _, (line, _fraction) in sorted(lines.items()) if line]
        if len(lines) > 1:
            shown = [line.split("\n")[0] for line in shown]  # one line each, or a long list has no room
        send_text("\n".join(shown), self.node_id)
        send_progress(sum(part for _, part in lines.values()) / len(lines), self.node_id)
