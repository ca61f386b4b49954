"""Make the pack importable in tests as ``kling_takes`` without ComfyUI, and give every test folder its fixtures.

The folder may have any name, and ``nodes`` is also a module of ComfyUI's own, so tests reach the pack
through an alias package whose path is the project's root. The root ``__init__.py`` is not executed:
it needs ComfyUI.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

if "kling_takes" not in sys.modules:
    package = types.ModuleType("kling_takes")
    package.__path__ = [str(ROOT)]
    sys.modules["kling_takes"] = package

# No deadline: the tests share the machine with each other, and a slow example is not a wrong one.
_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", **_COMMON)
settings.register_profile("quick", max_examples=15, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

#: A key that opens nothing and is easy to find again. Wherever this string turns up, a real key would too.
CANARY = "canary-7f3a-do-not-print-this-key"


@pytest.fixture
def canary() -> str:
    """The API key that must never be seen outside an Authorization header to the API."""
    return CANARY


@pytest.fixture
def simulator() -> Iterator[Any]:
    """A simulator on a free port with fast timings and tiny videos; `.state` has its knobs and books."""
    from kling_takes.simulator.server import SimulatorServer
    from kling_takes.simulator.state import State

    with SimulatorServer(State(submitted_seconds=0.02, processing_seconds=0.05, render="tiny")) as server:
        yield server
