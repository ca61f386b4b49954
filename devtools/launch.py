"""Start one of three things as a child that never outlives its parent.

    launch.py comfyui COMFYUI_DIR [ARGS...]         a real ComfyUI's main.py
    launch.py inside COMFYUI_DIR SCRIPT [ARGS...]   a script that may import ComfyUI's modules
    launch.py pack MODULE [ARGS...]                 ``main(argv)`` of a module of this pack

A child whose parent set ``KLING_TAKES_CHILD=1`` ends when its standard input closes, so a killed ``dev.py``
or pytest leaves no server behind, on any system. This file is run as a script by the interpreter of the
development environment; it imports nothing of the pack at the top level.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import threading
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_kept: list[Any] = []  # a torch Library unregisters its operators when it is collected


def end_with_parent() -> None:
    """End this process as soon as standard input closes, which it does when the parent is gone."""

    # A raw descriptor: a thread blocked in sys.stdin would hold its lock while the interpreter shuts down.
    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def fix_torchvision() -> None:
    """Let torchvision import on a torch it was not built for.

    PyPI has no CPU build of torchvision for Linux, and the CUDA build stops at the first use of two
    operators that a CPU-only torch does not have. Declaring them is enough: nothing here calls them. Where
    torch and torchvision match, this does nothing.
    """
    import torch

    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
    except ImportError:
        pass  # ComfyUI says itself what it misses


def run_inside(folder: Path, script: Path, args: list[str]) -> None:
    """Run a script as if it lay in ComfyUI's folder, as its main.py does."""
    fix_torchvision()
    os.chdir(folder)
    sys.path[0] = str(folder)
    sys.argv = [str(script), *args]
    runpy.run_path(str(script), run_name="__main__")


def run_pack(module: str, args: list[str]) -> int:
    """Run ``main(argv)`` of a module of the pack, imported under the alias ``kling_takes``."""
    package = types.ModuleType("kling_takes")
    package.__path__ = [str(ROOT)]
    sys.modules["kling_takes"] = package
    # The script's own folder must not shadow anything of the pack or of the standard library.
    sys.path.pop(0)
    return int(importlib.import_module(f"kling_takes.{module}").main(args) or 0)


if __name__ == "__main__":
    if os.environ.pop("KLING_TAKES_CHILD", "") == "1":
        end_with_parent()
    if sys.argv[1] == "comfyui":
        run_inside(Path(sys.argv[2]), Path(sys.argv[2]) / "main.py", sys.argv[3:])
    elif sys.argv[1] == "inside":
        run_inside(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    else:
        sys.exit(run_pack(sys.argv[2], sys.argv[3:]))
