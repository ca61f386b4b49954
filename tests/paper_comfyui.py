"""A ComfyUI made of paper: the modules of it that the pack imports, with just what the pack asks of them.

It stands where the real one would, outside the pack, so that a test which runs nodes in it holds however the
pack is arranged inside.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kling_takes import nodes

#: a text to video node as an artist fills it in, and the same for the nodes that start from a picture
WORDS: dict[str, Any] = {
    "prompt": "a red kite",
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
}
FRAME_WORDS = {name: value for name, value in WORDS.items() if name != "aspect_ratio"}


class Interrupted(Exception):
    """Stands for ComfyUI's own."""


@dataclass
class Artist:
    """Who sits before the paper: the texts on the nodes, and the Cancel button."""

    texts: list[str] = field(default_factory=list)
    cancelled: bool = False
    #: which item of a list the node that runs now works on
    index: int = 0

    def interrupt(self, value: bool = True) -> None:
        """Put ComfyUI's interrupt flag up or down."""
        self.cancelled = value

    def throw_if_cancelled(self) -> None:
        """Take the flag down and raise, as ComfyUI does between two nodes."""
        if self.cancelled:
            self.cancelled = False
            raise Interrupted


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


def picture(batch: int = 1, height: int = 320, width: int = 400) -> Frames:
    """An IMAGE that Kling takes, from black to white."""
    ramp = np.linspace(0, 1, batch * height * width * 3, dtype=np.float32)
    return Frames(ramp.reshape(batch, height, width, 3))


def put_up(folder: Path, patch: pytest.MonkeyPatch, artist: Artist | None = None) -> Path:
    """Put the paper modules in place until ``patch`` is undone; return the pack's own user folder."""
    user, temp = folder / "user", folder / "temp"
    sits = artist or Artist()
    page = SimpleNamespace(send_progress_text=lambda text, node_id: sits.texts.append(text))
    temp.mkdir(parents=True, exist_ok=True)
    contents: dict[str, dict[str, Any]] = {
        "folder_paths": {
            "get_system_user_directory": lambda name="system": str(user / f"__{name}"),
            "get_temp_directory": lambda: str(temp),
        },
        "server": {"PromptServer": SimpleNamespace(instance=page)},
        "comfy": {},
        "comfy.cli_args": {"args": SimpleNamespace(comfy_api_base="https://api.comfy.org")},
        "comfy.model_management": {
            "InterruptProcessingException": Interrupted,
            "interrupt_current_processing": sits.interrupt,
            "processing_interrupted": lambda: sits.cancelled,
            "throw_exception_if_processing_interrupted": sits.throw_if_cancelled,
        },
        "comfy.utils": {"ProgressBar": Bar},
        "comfy_api": {},
        "comfy_api.latest": {"InputImpl": SimpleNamespace(VideoFromFile=Path)},
        "comfy_execution": {},
        "comfy_execution.utils": {
            "get_executing_context": lambda: SimpleNamespace(
                prompt_id="prompt", node_id="7", list_index=sits.index
            )
        },
    }
    for name, members in contents.items():
        module = ModuleType(name)
        vars(module).update(members)
        patch.setitem(sys.modules, name, module)
    return user / "__kling_takes"


def axes(**set_to: float) -> dict[str, float]:
    """The six numbers of a camera move, 0 where nothing else is said."""
    names = ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")
    return {name: set_to.get(name, 0.0) for name in names}


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
