"""Make the pack importable in tests as ``kling_takes`` without ComfyUI; fixtures for every test folder.

The folder may have any name, and ``nodes`` is also a module of ComfyUI's own, so tests reach the pack
through an alias package whose path is the project's root. The root ``__init__.py`` is not executed:
it needs ComfyUI.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
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


#: A simulated video takes a tenth of a second, whatever its length.
_FAST: dict[str, Any] = {
    "submitted_seconds": 0.02,
    "processing_seconds": 0.05,
    "processing_per_second": 0.0,
    "render": "tiny",
}


@pytest.fixture
def canary() -> str:
    """The API key that must never be seen outside an Authorization header to the API."""
    return CANARY


@pytest.fixture
def simulator() -> Iterator[Any]:
    """A simulator on a free port with fast timings and tiny videos; `.state` has its knobs and books."""
    from kling_takes.simulator.server import SimulatorServer
    from kling_takes.simulator.state import State

    state = State(**_FAST)
    with SimulatorServer(state) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The Chromium (or Chrome) to drive; `CHROMIUM_PATH` names it, else it is looked for."""
    from kling_takes.devtools.chromium import find_chromium

    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine: install one, or name it in CHROMIUM_PATH")
    return found


@pytest.fixture
def comfyui_factory(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make own ComfyUI servers: `comfyui_factory(simulator, base_dir=None)` returns one, not yet started.

    All of them are stopped after the test. Base directories default to fresh ones.
    """
    harness = _harness()
    made: list[Any] = []

    def make(simulator: Any = None, base_dir: Path | None = None) -> Any:
        server = harness.ComfyUI(base_dir or tmp_path / f"comfyui-{len(made)}", simulator)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One ComfyUI for the whole session, on a simulator of its own (`comfyui.simulator`) and a good key.

    Tests that share it use prompts of their own: the same take twice is the same video.
    """
    harness = _harness()
    from kling_takes.simulator.server import SimulatorServer
    from kling_takes.simulator.state import State

    state = State(**_FAST)
    state.api_keys[CANARY] = "tests"
    with SimulatorServer(state) as simulator:
        server = harness.ComfyUI(tmp_path_factory.mktemp("comfyui"), simulator)
        try:
            yield server.start({"KLING_API_BASE": simulator.url, "KLING_API_KEY": CANARY})
        finally:
            server.stop()


def _harness() -> Any:
    """Return the module that starts ComfyUI; skip where there is none to start."""
    pytest.importorskip("torch", reason="ComfyUI needs torch")
    from kling_takes.tests.comfyui import harness

    if harness.comfyui_folder() is None:
        pytest.skip("no ComfyUI on this machine: run `python3 dev.py test`, or set COMFYUI_DIR")
    return harness
