"""A process that makes videos of one picture, then of many, and says how much more memory that took.

    launch.py pack tests.picture_list URL COUNT FOLDER

The simulator at ``URL`` runs elsewhere, so that only the pack's own memory is measured.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kling_takes import nodes
from kling_takes.simulator.state import SIMULATOR_KEY

from .paper_comfyui import FRAME_WORDS, Artist, Frames, put_up

#: what ``ru_maxrss`` counts in
UNIT = 1 if sys.platform == "darwin" else 1024


def peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def main(argv: list[str]) -> int:
    """Make one, then many, and print the difference of the peaks in bytes."""
    url, count, folder = argv
    artist = Artist()
    # Noise can't be packed: as PNG these are 7.4 MB.
    noise = Frames(np.random.default_rng(0).random((1, 1300, 1900, 3), dtype=np.float32))

    async def make(prompts: list[str]) -> None:
        async def one(number: int, prompt: str) -> Any:
            artist.index = number
            words = {**FRAME_WORDS, "prompt": prompt, "start_frame": noise}
            return await nodes.KlingImage2VideoNode().api_call(**words)

        await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(prompts)))

    with pytest.MonkeyPatch.context() as patch:
        put_up(Path(folder), patch, artist)
        patch.setenv("KLING_API_BASE", url)
        patch.setenv("KLING_API_KEY", SIMULATOR_KEY)
        asyncio.run(make(["a first kite"]))
        before = peak()
        asyncio.run(make([f"kite {number}" for number in range(int(count))]))
    sys.stdout.write(f"{peak() - before}\n")
    return 0
