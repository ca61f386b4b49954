"""Measure how much memory the download of a 600 MB video takes; run through ``launch.py pack``.

The simulator runs in a process of its own, so that only the downloading side is measured. Its result is a
real video, stretched to 600 MB with zeros.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, cast

#: bytes of the video
SIZE = 600 * 1000 * 1000
#: bytes; what the download may add
GOAL = 64 * 1000 * 1000
#: seconds between two looks at the memory
GLANCE = 0.005

LAUNCH = Path(__file__).resolve().parent / "launch.py"


def serve(folder: Path) -> int:
    """Run a fast simulator that keeps its videos in ``folder`` until standard input closes."""
    from ..simulator.server import SimulatorServer
    from ..simulator.state import State

    state = State(submitted_seconds=0, processing_seconds=0, processing_per_second=0, cache_dir=folder)
    with SimulatorServer(state) as server:
        print(server.url, flush=True)
        sys.stdin.read()
    return 0


def make_video(url: str, folder: Path) -> str:
    """Let the simulator make a video, stretch it, and return its link."""
    import requests

    from ..simulator.state import SIMULATOR_KEY

    headers = {"Authorization": f"Bearer {SIMULATOR_KEY}"}
    body = {"model_name": "kling-v2-5-turbo", "prompt": "a long film", "duration": "5"}
    path = f"{url}/v1/videos/text2video"
    created = requests.post(path, json=body, headers=headers, timeout=30).json()
    while True:
        answer = requests.get(f"{path}/{created['data']['task_id']}", headers=headers, timeout=30).json()
        if answer["data"]["task_status"] == "succeed":
            break
        time.sleep(0.1)
    (film,) = folder.glob("*.mp4")
    os.truncate(film, SIZE)
    return str(answer["data"]["task_result"]["videos"][0]["url"])


class Memory:
    """The resident memory of this process, watched from a thread; ``growth`` is how far it rose."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._before: int = self._process.memory_info().rss
        self._peak: int = self._before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(GLANCE):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Bytes between the start and the highest point."""
        return self._peak - self._before


async def fetch(link: str, target: Path) -> tuple[int, float]:
    """Download the video as a node does and return the memory growth in bytes and the seconds."""
    from ..apis.download import download
    from ..apis.transport import open_session

    async def refresh() -> str:
        return link

    async with open_session() as session:
        begun = time.perf_counter()
        with Memory() as memory:
            await download(
                session, link, target, refresh=refresh, opens=lambda _path: True, api_is_loopback=True
            )
        return memory.growth, time.perf_counter() - begun


def main(argv: list[str]) -> int:
    """Measure and print, or serve when ``argv`` says so."""
    if argv[:1] == ["serve"]:
        return serve(Path(argv[1]))
    with tempfile.TemporaryDirectory(prefix="kling-takes-bench-") as name:
        folder = Path(name)
        command = [
            sys.executable,
            str(LAUNCH),
            "pack",
            "devtools.bench_memory",
            "serve",
            str(folder / "films"),
        ]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with process as server:
            # Both are pipes, which a Popen's type doesn't tell.
            its_input, its_output = cast(IO[str], server.stdin), cast(IO[str], server.stdout)
            try:
                link = make_video(its_output.readline().strip(), folder / "films")
                target = folder / "film.mp4"
                growth, seconds = asyncio.run(fetch(link, target))
                size = target.stat().st_size
            finally:
                its_input.close()
                server.wait(20)
    print(
        f"memory growth for a video of {size / 1e6:.0f} MB: {growth / 1e6:.0f} MB "
        f"(goal: under {GOAL / 1e6:.0f}), downloaded in {seconds:.1f} s"
    )
    return 0
