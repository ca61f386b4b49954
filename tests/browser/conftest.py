"""One browser for the tests of a file, on the shared ComfyUI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kling_takes.tests.comfyui.conftest import kling

__all__ = ["kling"]  # the same fixture as in the tests without a browser


@pytest.fixture(scope="module")
def editor(comfyui: Any, chromium: Path) -> Iterator[Any]:
    """ComfyUI's editor in Chromium."""
    pytest.importorskip("playwright", reason="the browser tests need playwright")
    from kling_takes.tests.browser import editor as module

    with module.editor(comfyui.url, chromium) as opened:
        yield opened
