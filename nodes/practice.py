"""The simulator inside ComfyUI: one per process, started when the first take practises."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

_lock = threading.Lock()
_running: list[Any] = []


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the user asked to practise (``KLING_BACKEND=simulator``)."""
    return environ.get("KLING_BACKEND") == "simulator"


def simulator_url() -> str:
    """Start the simulator on a free loopback port if it is not up yet; its address.

    Blocks for some tenths of a second the first time. It ends with the process.
    """
    from ..simulator.server import SimulatorServer

    with _lock:
        if not _running:
            _running.append(SimulatorServer().start())
        return str(_running[0].url)


def close() -> None:
    """Stop the simulator if it runs; the next take starts another."""
    with _lock:
        while _running:
            _running.pop().close()
