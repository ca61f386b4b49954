"""The simulator inside ComfyUI: one per process, started when the first take asks for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import host

if TYPE_CHECKING:
    from ..simulator.server import SimulatorServer

_lock = threading.Lock()
_running: list[SimulatorServer] = []


def wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the user asked for the simulator (``KLING_BACKEND=simulator``)."""
    return environ.get("KLING_BACKEND") == "simulator"


def url() -> str:
    """Return the simulator's address, a free loopback port; start it if it is not up yet.

    Models that only the user's own table has are judged by that table. Blocks for some tenths of a second
    the first time. It ends with the process.
    """
    from ..simulator.server import SimulatorServer
    from ..simulator.state import State

    with _lock:
        if not _running:
            state = State(user_models=host.user_dir() / "models.json")
            _running.append(SimulatorServer(state).start())
        return str(_running[0].url)


def close() -> None:
    """Stop the simulator if it runs; the next take starts another."""
    with _lock:
        while _running:
            _running.pop().close()
