"""The simulator inside ComfyUI: one per process, started when the first take asks for it."""

from __future__ import annotations

import threading
from pathlib import Path

from .server import SimulatorServer
from .state import State

_lock = threading.Lock()
_running: list[SimulatorServer] = []


def url(user_models: Path) -> str:
    """Return the simulator's address, a free loopback port; start it if it is not up yet.

    Models that only the user's own table has are judged by that table. Blocks for some tenths of a second
    the first time. It ends with the process.
    """
    with _lock:
        if not _running:
            _running.append(SimulatorServer(State(user_models=user_models)).start())
        return str(_running[0].url)


def close() -> None:
    """Stop the simulator if it runs; the next take starts another."""
    with _lock:
        while _running:
            _running.pop().close()
