"""A process in which a node is cancelled: how long until it answered, and until its event loop had ended.

    launch.py pack tests.leaving STATE FOLDER

ComfyUI runs each prompt in an ``asyncio.run`` of its own, which waits for the threads of the loop's executor.
The process prints both times, in seconds after Cancel.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kling_takes import nodes
from kling_takes.apis.media import pictures
from kling_takes.apis.transport import in_own_thread
from kling_takes.simulator.server import SimulatorServer
from kling_takes.simulator.state import SIMULATOR_KEY, State

from .paper_comfyui import FRAME_WORDS, WORDS, Artist, Frames, Interrupted, put_up

#: seconds that a disk hangs, and that a state is waited for
FOR_EVER = 60.0


def packing_a_large_picture(patch: pytest.MonkeyPatch, begun: threading.Event) -> dict[str, Any]:
    encode = pictures.encode_image

    def slowly(pixels: Any, limits: Any) -> Any:
        begun.set()
        return encode(pixels, limits)

    patch.setattr(pictures, "encode_image", slowly)
    noise = np.random.default_rng(0).random((1, 4500, 8000, 3), dtype=np.float32)
    return {**FRAME_WORDS, "start_frame": Frames(noise)}


def syncing_a_file(patch: pytest.MonkeyPatch, begun: threading.Event) -> dict[str, Any]:
    def hang(_descriptor: int) -> None:
        begun.set()
        time.sleep(FOR_EVER)

    patch.setattr(os, "fsync", hang)
    return WORDS


STATES: dict[str, Callable[[pytest.MonkeyPatch, threading.Event], dict[str, Any]]] = {
    "packing": packing_a_large_picture,
    "syncing": syncing_a_file,
}


def main(argv: list[str]) -> int:
    """Run a node, cancel it in a state, and print how long it took."""
    state, folder = argv
    artist, begun = Artist(), threading.Event()
    with (
        pytest.MonkeyPatch.context() as patch,
        SimulatorServer(State(submitted_seconds=0.0, processing_seconds=0.0, render="tiny")) as kling,
    ):
        put_up(Path(folder), patch, artist)
        patch.setenv("KLING_API_BASE", kling.url)
        patch.setenv("KLING_API_KEY", SIMULATOR_KEY)
        inputs = STATES[state](patch, begun)
        node = nodes.KlingImage2VideoNode() if "start_frame" in inputs else nodes.KlingTextToVideoNode()

        async def prompt() -> tuple[float, float]:
            work = asyncio.ensure_future(node.api_call(**inputs))
            await in_own_thread(lambda: begun.wait(FOR_EVER))
            await asyncio.sleep(0.3)  # into the middle of it
            artist.cancelled = True
            pressed = time.monotonic()
            with pytest.raises(Interrupted):
                await work
            return pressed, time.monotonic() - pressed

        pressed, answered = asyncio.run(prompt())
        sys.stdout.write(f"{answered} {time.monotonic() - pressed}\n")
    return 0
