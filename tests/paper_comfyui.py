"""A ComfyUI made of paper: the modules of it that the pack imports, with just what the pack asks of them.

It stands where the real one would, outside the pack, so that a test which runs nodes in it holds however the
pack is arranged inside.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kling_takes import nodes


class Interrupted(Exception):
    """Stands for ComfyUI's own."""


class Bar:
    """A progress bar that nobody looks at."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """Move nothing."""


class Frames:
    """An IMAGE ``[B, H, W, C]``: just enough of a tensor."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels

    def cpu(self) -> Frames:
        return self

    def numpy(self) -> Any:
        return self.pixels


def put_up(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Put the paper modules in place until ``patch`` is undone; return the pack's own user folder."""
    user, temp = folder / "user", folder / "temp"
    temp.mkdir(parents=True, exist_ok=True)
    contents: dict[str, dict[str, Any]] = {
        "folder_paths": {
            "get_system_user_directory": lambda name="system": str(user / f"__{name}"),
            "get_temp_directory": lambda: str(temp),
        },
        "server": {"PromptServer": SimpleNamespace(instance=None)},
        "comfy": {},
        "comfy.cli_args": {"args": SimpleNamespace(comfy_api_base="https://api.comfy.org")},
        "comfy.model_management": {
            "InterruptProcessingException": Interrupted,
            "interrupt_current_processing": lambda value=True: None,
            "processing_interrupted": lambda: False,
        },
        "comfy.utils": {"ProgressBar": Bar},
        "comfy_api": {},
        "comfy_api.latest": {"InputImpl": SimpleNamespace(VideoFromFile=Path)},
        "comfy_execution": {},
        "comfy_execution.utils": {"get_executing_context": lambda: None},
    }
    for name, members in contents.items():
        module = ModuleType(name)
        vars(module).update(members)
        patch.setitem(sys.modules, name, module)
    return user / "__kling_takes"


def call(node_id: str, inputs: dict[str, Any]) -> Any:
    """What a node gives when it is run as ComfyUI does, hidden inputs included; an async one's is awaited."""
    node = nodes.NODE_CLASS_MAPPINGS[node_id]
    hidden = dict.fromkeys(node.INPUT_TYPES().get("hidden", {}))
    if "unique_id" in hidden:
        hidden["unique_id"] = "7"
    return getattr(node(), node.FUNCTION)(**inputs, **hidden)


def widgets(node_id: str) -> dict[str, Any]:
    """The values that the widgets of a fresh node have; links are left out."""
    found = {}
    declared = nodes.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    for name, (kind, *options) in {**declared["required"], **declared["optional"]}.items():
        first = kind[0] if isinstance(kind, list) else None
        default = (options[0] if options else {}).get("default", first)
        if default is not None:
            found[name] = default
    return found
