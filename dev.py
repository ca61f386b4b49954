"""Kling Takes for developers and newcomers: sets up everything it needs in `.dev/`, then does one thing.

    python3 dev.py demo         see a real ComfyUI make a video with the simulator, free
    python3 dev.py test         run every check and test
    python3 dev.py bench        import time of the pack, memory of a large download
    python3 dev.py simulator    a Kling on localhost
    python3 dev.py papers       write the tables of the README and the help pages again
    python3 dev.py faults       break everything at random and count what was billed
    python3 dev.py mutants      break the guards one by one and see that a test notices

Needs Python 3.10 to 3.13 and nothing else; this file and `devtools/` use the standard library alone.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from devtools import bench, checks, demo, environment, run


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)

    cmd = commands.add_parser("demo", help="a real ComfyUI makes a video, by default with the simulator")
    cmd.add_argument("--keep-open", action="store_true", help="leave ComfyUI up until Ctrl-C")
    cmd.add_argument("--live", action="store_true", help="use Kling and your key; asks first, with the price")
    add_comfyui(cmd)

    cmd = commands.add_parser("test", help="every check and test; with PYTEST ARGS only pytest with those")
    add_comfyui(cmd)
    cmd.add_argument("pytest_args", nargs=argparse.REMAINDER, metavar="PYTEST ARGS")

    cmd = commands.add_parser("bench", help="measure")
    cmd.add_argument("what", choices=["import", "memory"])
    add_comfyui(cmd)

    for name, text in (
        ("simulator", "a Kling on localhost; `dev.py simulator --help` lists its options"),
        ("papers", "the tables of models, prices and inputs in the papers; --check only compares"),
        ("faults", "random faults, judged by the simulator's books"),
        ("mutants", "broken guards, each of which a test must notice"),
    ):
        commands.add_parser(name, help=text, add_help=False)
    return top


def add_comfyui(cmd: argparse.ArgumentParser) -> None:
    """Add the options that name another ComfyUI than the one in `.dev/`."""
    cmd.add_argument("--comfyui", type=Path, metavar="DIR", help="use the ComfyUI in this folder")
    cmd.add_argument("--python", type=Path, metavar="EXE", help="run that ComfyUI with this interpreter")


def main(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    options, rest = parser().parse_known_args(argv)
    if options.command in run.MODULES:
        return run.run(options.command, rest)
    if options.command == "test":
        # Options of pytest before its first path are unknown here, so they are in `rest`, in order.
        options.pytest_args = [arg for arg in rest + options.pytest_args if arg != "--"]
        return checks.run(options)
    if rest:
        parser().error(f"unknown arguments: {' '.join(rest)}")
    if options.command == "demo":
        return demo.run(options)
    return bench.run(options)


def _ended(*_: object) -> None:
    raise KeyboardInterrupt  # so that `finally` ends every child


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _ended)
    try:
        sys.exit(main(sys.argv[1:]))
    except environment.SetupFailed as problem:
        sys.exit(f"dev.py: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ndev.py: stopped; nothing is left running.")
