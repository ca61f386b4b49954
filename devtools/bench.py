"""``dev.py bench``: figures to look at. They depend on the machine, so no test asserts them."""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import tempfile
from pathlib import Path

from .comfyui import LAUNCH, make_base
from .demo import interpreters
from .environment import SetupFailed
from .processes import child_environment

#: how often the import is measured; the first run may still write byte code
RUNS = 5
#: milliseconds; what the pack may add to ComfyUI's start
IMPORT_GOAL = 50


def import_seconds(python: Path, comfyui: Path, runs: int) -> list[float]:
    """Measure the import in ``runs`` fresh interpreters, each with ComfyUI loaded before the clock starts."""
    script = Path(__file__).resolve().parent / "bench_import.py"
    found = []
    with tempfile.TemporaryDirectory(prefix="kling-takes-bench-") as folder:
        base = Path(folder)
        make_base(base)
        command = [python, LAUNCH, "inside", comfyui, script, base / "custom_nodes" / "kling-takes"]
        for _ in range(runs):
            reply = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, env=child_environment({})
            )
            figure = re.search(r"import_seconds=(\S+)", reply.stdout)
            if figure is None:
                raise SetupFailed(f"The import could not be measured:\n{reply.stderr[-2000:]}")
            found.append(float(figure.group(1)))
    return found


def import_line(python: Path, comfyui: Path, runs: int = 3) -> str:
    """Return the import time as a line for a report."""
    try:
        found = [seconds * 1000 for seconds in import_seconds(python, comfyui, runs)]
    except SetupFailed as error:
        return str(error)
    return (
        f"import of the pack into ComfyUI: {statistics.median(found):.0f} ms "
        f"(median of {len(found)}, {min(found):.0f} to {max(found):.0f}; goal {IMPORT_GOAL})"
    )


def run(options: argparse.Namespace) -> int:
    """Measure one thing and print it."""
    python, comfyui = interpreters(options)
    if options.what == "import":
        print(import_line(python, comfyui, RUNS))
        return 0
    command = [str(part) for part in (python, LAUNCH, "pack", "devtools.bench_memory")]
    return subprocess.run(command, env=child_environment({})).returncode
