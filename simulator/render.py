"""Who draws the results: threads beside the event loop, and a folder that keeps what was drawn.

A task is not finished before its video is, so no poll and no download ever waits for a drawing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import io
import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from . import video
from .order import Order
from .state import SimTask, State

logger = logging.getLogger(__name__)
WORKERS = 2


class Studio:
    """Draws and keeps the videos of one application. `close()` ends a drawing within one frame."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pool: ThreadPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._drawn: dict[str, asyncio.Future[Path]] = {}
        self._keys: dict[str, str] = {}
        self._stop = threading.Event()

    def begin(self, task: SimTask) -> None:
        """Start drawing a task's video, unless the state asks for tiny results or the task will fail."""
        if self._state.render != "tiny" and not task.fails_with:
            task.rendering = True
            self._drawing(task).add_done_callback(functools.partial(self._finished, task))
        # The books keep no pictures: a long practice would fill the memory.
        task.order = replace(task.order, start=None, end=None)

    async def result(self, task: SimTask) -> bytes | Path | None:
        """Return a finished task's video as bytes (tiny) or as a file; None when there is none."""
        if self._state.render == "tiny":
            return tiny()
        try:
            # A task that was put into the books by hand is drawn when somebody asks for it.
            return await asyncio.shield(self._drawing(task))
        except video.Stopped:
            return None

    def _drawing(self, task: SimTask) -> asyncio.Future[Path]:
        key = self._keys.setdefault(task.id, content_key(task.order))
        if key not in self._drawn:
            loop, target = asyncio.get_running_loop(), self._home() / f"{key}.mp4"
            self._drawn[key] = loop.run_in_executor(self._threads(), self._draw, task.order, target)
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

    def _draw(self, order: Order, target: Path) -> Path:
        if target.exists():
            return target
        part = target.with_suffix(f".{threading.get_ident()}.part")
        try:
            video.make(order, part, self._stop)
            part.replace(target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return target

    def _finished(self, task: SimTask, future: asyncio.Future[Path]) -> None:
        task.rendering = False
        task.due_at = max(task.due_at, self._state.clock())
        if future.cancelled():
            return
        failure = future.exception()
        if failure is not None and not isinstance(failure, video.Stopped):
            logger.error("The simulator could not draw task %s: %s", task.id, failure)
            task.fails_with = f"The simulator could not draw this video: {failure}"


def _look_at(future: asyncio.Future[Path]) -> None:
    """Take note of a drawing's failure, so that asyncio does not complain when nobody waits for it."""
    if not future.cancelled():
        future.exception()


def content_key(order: Order) -> str:
    """Return the name under which an order's video is kept: equal orders look equal."""
    seen = (
        order.product,
        order.model,
        order.prompt,
        order.mode,
        order.seconds,
        order.aspect_ratio,
        order.sound,
        order.shots,
        order.camera,
        *(hashlib.sha256(picture).hexdigest() if picture else "" for picture in (order.start, order.end)),
    )
    return hashlib.sha256(repr((video.VERSION, seen)).encode()).hexdigest()[:40]


@functools.lru_cache(maxsize=1)
def tiny() -> bytes:
    """Return one small but whole MP4, made once per process."""
    target = io.BytesIO()
    video.make_tiny(target)
    return target.getvalue()
