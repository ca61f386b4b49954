"""``dev.py demo``: a real ComfyUI makes a video with this pack, by default with the simulator, and free."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import environment
from .comfyui import LAUNCH, ROOT, ComfyUIProcess, DidNotStart
from .environment import DEV, LOGS, SetupFailed
from .processes import Child, child_environment, free_port

WORKFLOW = ROOT / "example_workflows" / "api" / "text_to_video.json"
VIDEOS = DEV / "demo"
#: It opens the simulator and nothing else, so it may stand here.
SIMULATOR_KEY = "api-key-kling-simulator"


class Stopwatch:
    """Measures the steps of a run and prints each as it ends."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Print ``text`` now and the seconds it took afterwards."""
        print(f"{text} ...", flush=True)
        begun = time.monotonic()
        yield
        print(f"    {time.monotonic() - begun:.1f} s", flush=True)

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begun


def interpreters(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the Python and the ComfyUI folder to use, setting up what was not named."""
    if options.python and not options.comfyui:
        raise SetupFailed("--python goes with --comfyui DIR: it is the Python of that ComfyUI.")
    if options.comfyui and not (options.comfyui / "main.py").is_file():
        raise SetupFailed(f"There is no ComfyUI in {options.comfyui}: it has no main.py.")
    if options.python and environment.version_of(options.python) not in environment.PYTHONS:
        raise SetupFailed(f"{options.python} is not a Python 3.10 to 3.13.")
    with environment.only_one():
        python = options.python or environment.ensure_dev_venv()
        comfyui = options.comfyui or environment.ensure_comfyui()
    return python.absolute(), comfyui.absolute()


def kling_settings() -> dict[str, str]:
    """Return Kling's variables from the environment; raises SetupFailed when they hold no key."""
    found = {name: value for name, value in os.environ.items() if name.startswith("KLING_") and value}
    pair = "KLING_ACCESS_KEY" in found and "KLING_SECRET_KEY" in found
    if not (pair or "KLING_API_KEY" in found):
        raise SetupFailed(
            "--live needs your Kling key in the variable KLING_API_KEY (or KLING_ACCESS_KEY and "
            "KLING_SECRET_KEY). Without --live the demo is free and needs no key."
        )
    if found.get("KLING_BACKEND", "kling") != "kling":
        raise SetupFailed(
            "--live uses Kling, but KLING_BACKEND says otherwise. Unset it, or leave --live out."
        )
    return found


def ask(python: Path) -> None:
    """Ask before money is spent; raises SetupFailed unless the answer is yes."""
    command = [python, LAUNCH, "pack", "devtools.price", WORKFLOW]
    reply = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    price = reply.stdout.strip() or "a price that the model table does not know"
    print(f"\nThis buys one video from Kling on your account.\n    {price}")
    print("The same demo again collects this video without paying, as long as Kling keeps it (30 days).")
    try:
        answer = input("Type yes to go on: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("yes", "y"):
        raise SetupFailed("Nothing was bought.")


def start_simulator(python: Path) -> tuple[Child, str]:
    """Start a simulator of its own process and return it with its address."""
    port = free_port()
    command: list[str | Path] = [python, LAUNCH, "pack", "simulator.__main__", "--port", str(port)]
    log = LOGS / "demo-simulator.log"
    log.unlink(missing_ok=True)
    child = Child(command, env=child_environment({}), log=log)
    child.start()
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return child, f"http://127.0.0.1:{port}"
        if not child.running or time.monotonic() > deadline:
            child.kill()
            raise SetupFailed(f"The simulator did not start:\n{child.log_text()[-2000:]}")
        time.sleep(0.05)


def run_workflow(python: Path, url: str) -> list[Path]:
    """Run the example workflow through headless.py and return the paths it saved."""
    command = [python, ROOT / "headless.py", WORKFLOW, "--server", url, "--output", VIDEOS]
    reply = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    if reply.returncode != 0:
        raise SetupFailed(f"The workflow did not come through (headless.py, exit code {reply.returncode}).")
    return [Path(line) for line in reply.stdout.splitlines() if line.endswith(".mp4")]


def run(options: argparse.Namespace) -> int:
    """Run the demo and return its exit code; nothing it started is left running."""
    settings = kling_settings() if options.live else {}
    watch = Stopwatch()
    with watch.step("Setting up in .dev/ (the first time takes some minutes and 1.5 GB or more)"):
        python, comfyui = interpreters(options)
    if options.live:
        ask(python)
    simulator: Child | None = None
    server: ComfyUIProcess | None = None
    # A practice run begins with empty books on both sides. A live one keeps its journal: it holds paid takes.
    base = DEV / "live" if options.live else Path(tempfile.mkdtemp(prefix="kling-takes-demo-"))
    log = LOGS / "demo-comfyui.log"
    log.unlink(missing_ok=True)
    try:
        if not options.live:
            with watch.step("Starting the simulator, a Kling on this machine"):
                simulator, address = start_simulator(python)
            settings = {"KLING_API_BASE": address, "KLING_API_KEY": SIMULATOR_KEY}
        args = ["--output-directory", str(VIDEOS)] if options.keep_open else []
        VIDEOS.mkdir(parents=True, exist_ok=True)
        server = ComfyUIProcess(python, comfyui, base, env=settings, args=args, log=log)
        with watch.step("Starting ComfyUI with this folder as a custom node"):
            server.start()
        with watch.step(f"Running {WORKFLOW.relative_to(ROOT).as_posix()}"):
            videos = run_workflow(python, server.url)
        if not videos:
            raise SetupFailed("The workflow ended well and produced no video.")
        for video in videos:
            probe = [str(part) for part in (python, LAUNCH, "pack", "devtools.probe", video)]
            facts = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()
            print(f"\n{video}\n    {facts}")
        print(f"\nDone in {watch.total:.1f} s.")
        if options.keep_open:
            keep_open(server)
    except DidNotStart as error:
        print(f"dev.py: {error}\nIts whole log: {log}", file=sys.stderr)
        return 1
    except SetupFailed as error:
        print(f"dev.py: {error}\nComfyUI's log: {log}", file=sys.stderr)
        return 1
    finally:
        if server is not None:
            server.child.stop()
        if simulator is not None:
            simulator.stop()
        if not options.live:
            shutil.rmtree(base, ignore_errors=True)
    return 0


def keep_open(server: ComfyUIProcess) -> None:
    """Leave ComfyUI up until Ctrl-C or until it ends by itself."""
    print(
        f"\nComfyUI is open at {server.url} - its templates have the examples of Kling Takes. Ctrl-C ends it."
    )
    print(f"Videos go to {VIDEOS}", flush=True)
    try:
        while server.child.running:
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nStopping.")
