"""Who draws the results: threads beside the event loop, and a folder that keeps what was drawn.

A task is not finished before its files are, so no poll and no download ever waits for a drawing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import picture, sound, video
from .order import Order
from .results import File, Stopped, files
from .state import State
from .task import SimTask

logger = logging.getLogger(__name__)
WORKERS = 2
#: Part of every content key: change it when what is drawn changes.
VERSION = 1


class RenderQueue:
    """Draws and keeps the results of one application. `close()` ends a drawing within one frame."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pool: ThreadPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._drawn: dict[str, asyncio.Future[Path]] = {}
        self._keys: dict[tuple[str, File], str] = {}
        self._stop = threading.Event()

    def begin(self, task: SimTask) -> None:
        """Start drawing a task's result, unless the state asks for tiny results or the task will fail."""
        if self._state.render != "tiny" and not task.fails_with:
            task.rendering = True
            drawings = [self._drawing(task, file) for file in files(task.outputs)]
            asyncio.gather(*drawings).add_done_callback(functools.partial(self._finished, task))
        # The books keep no media: a long run would fill the memory.
        task.order = task.order.without_media()

    async def result(self, task: SimTask, file: File) -> bytes | Path | None:
        """Return a finished task's file as bytes (tiny) or by its path; None when there is none."""
        if self._state.render == "tiny":
            return tiny(file.format)
        try:
            # A task that was put into the books by hand is drawn when somebody asks for it.
            return await asyncio.shield(self._drawing(task, file))
        except Stopped:
            return None

    def _drawing(self, task: SimTask, file: File) -> asyncio.Future[Path]:
        key = self._keys.setdefault((task.id, file), content_key(task.order, file))
        if key not in self._drawn:
            loop, target = asyncio.get_running_loop(), self._home() / key
            self._drawn[key] = loop.run_in_executor(self._threads(), self._draw, task.order, file, target)
            self._drawn[key].add_done_callback(_look_at)
        return self._drawn[key]

    def close(self) -> None:
        """Stop drawing and remove what was kept for this server only."""
        self._stop.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="kling-simulator-draws")
        return self._pool

    def _home(self) -> Path:
        if self._state.cache_dir is not None:
            self._state.cache_dir.mkdir(parents=True, exist_ok=True)
            return self._state.cache_dir
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="kling-simulator-", ignore_cleanup_errors=True)
        return Path(self._folder.name)

    def _draw(self, order: Order, file: File, target: Path) -> Path:
        if target.exists():
            return target
        part = target.with_suffix(f".{threading.get_ident()}.part")
        try:
            self._state.products[order.product].draw(order, file, part, self._stop)
            part.replace(target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return target

    def _finished(self, task: SimTask, drawings: asyncio.Future[list[Path]]) -> None:
        task.rendering = False
        task.due_at = max(task.due_at, self._state.clock())
        if drawings.cancelled():
            return
        failure = drawings.exception()
        if failure is not None and not isinstance(failure, Stopped):
            logger.error("The simulator could not draw task %s: %s", task.id, failure)
            task.fails_with = f"The simulator could not draw this {task.outputs[0].kind}: {failure}"


def _look_at(drawing: asyncio.Future[Path]) -> None:
    """Take note of a drawing's failure, so that asyncio does not complain when nobody waits for it."""
    if not drawing.cancelled():
        drawing.exception()


def content_key(order: Order, file: File) -> str:
    """Return the name under which a file is kept: orders that look alike share it."""
    seen = repr((VERSION, order.appearance(), file.place))
    return f"{hashlib.sha256(seen.encode()).hexdigest()[:40]}.{file.format}"


@functools.cache
def tiny(ending: str = "mp4") -> bytes:
    """Return one small but whole file of a format, made once per process."""
    if ending == "mp4":
        return video.tiny()
    return picture.tiny() if ending == "png" else sound.tiny(ending)
