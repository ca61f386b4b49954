"""Work that somebody cancels: left soon, and without losing what it has to write down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")

#: seconds between two looks at the flag; Cancel is to be answered within one second
LOOK_EVERY = 0.2
#: seconds a cancelled take gets to write down where it stands
GRACE = 0.5


async def unless(
    cancelled: Callable[[], bool], work: Coroutine[Any, Any, T], error: Callable[[], Exception]
) -> T:
    """Return the result of ``work``, or leave it within a second after ``cancelled()`` is true.

    ``work`` is cancelled and gets half a second to write down where it stands; slower cleaning up does not
    keep the user waiting. Raises ``error()`` then. A CancelledError that comes from outside (another node of
    the graph failed) is passed on to ``work`` and then raised.

    An error of a node that ends in its very first step is recorded by ComfyUI with all its inputs, the
    Comfy.org token among them, and can then be read in the history. So ``work`` always runs as a task of its
    own: ComfyUI records no inputs for a node that it had to wait for.
    """
    if cancelled():
        work.close()
        raise error()
    task = asyncio.ensure_future(work)
    task.add_done_callback(_look_at_outcome)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=LOOK_EVERY)
            if done:
                return task.result()
            if cancelled():
                task.cancel()
                await asyncio.wait({task}, timeout=GRACE)
                raise error()
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
        raise


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do ``work`` beside the block; it ends with the block at the latest."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _look_at_outcome(task: asyncio.Future[Any]) -> None:
    """Look at an abandoned task's error; asyncio would print it as never retrieved."""
    if not task.cancelled():
        task.exception()
