"""The shared ComfyUI with a Kling whose knobs a test may turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

KNOBS = (
    "submitted_seconds",
    "processing_seconds",
    "processing_per_second",
    "concurrency_limit",
    "refuse_code",
    "render",
)


@pytest.fixture
def kling(comfyui: Any) -> Iterator[Any]:
    """The simulator state behind the shared ComfyUI; every knob is put back after the test."""
    from kling_takes.tests.comfyui import graphs

    state = comfyui.simulator.state
    before = {name: getattr(state, name) for name in KNOBS}
    quick = graphs.expect_quick_models(comfyui.system_user_dir)
    yield state
    quick.unlink()
    state.faults.clear()
    for name, value in before.items():
        setattr(state, name, value)
