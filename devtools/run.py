"""Run a module of the pack in the development environment: simulator, papers, faults, mutants."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import environment

LAUNCH = Path(__file__).resolve().parent / "launch.py"

MODULES = {
    "simulator": "simulator.__main__",
    "papers": "devtools.papers",
    "faults": "tests.faults.run_faults",
    "mutants": "tests.faults.mutants",
}
NEED_TEST_PACKAGES = ("faults", "mutants")


def run(command: str, argv: list[str]) -> int:
    """Run ``main(argv)`` of a command's module and return its exit code."""
    with environment.only_one():
        python = environment.ensure_dev_venv()
        if command in NEED_TEST_PACKAGES:
            environment.ensure_test_packages()
    process = subprocess.Popen([str(python), str(LAUNCH), "pack", MODULES[command], *argv])
    try:
        return process.wait()
    except KeyboardInterrupt:
        # Ctrl-C has reached the child as well: it gets time to end by itself.
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            return 1
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
