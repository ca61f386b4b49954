"""Running a call that may hang beside the event loop, in a thread that nothing waits for.

The loop's own executor is waited for when ComfyUI's loop for one prompt ends: a call that hangs there would
hold up the next prompt long after Cancel. So it is for calls that change nothing, and may be left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T]) -> T:
    """Return the result of ``work``, or raise its exception; a caller that is cancelled leaves it behind."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def answer(settle: Callable[[], None]) -> None:
        def unless_left() -> None:
            if not waiter.done():
                settle()

        with contextlib.suppress(RuntimeError):  # the loop has ended and needs no news
            loop.call_soon_threadsafe(unless_left)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is the caller's, whatever it is
            trouble = error
            answer(lambda: waiter.set_exception(trouble))
        else:
            answer(lambda: waiter.set_result(result))

    threading.Thread(target=run, name="kling-takes-call", daemon=True).start()
    return await waiter
