"""``dev.py test``: every check and test there is, side by side where that is safe, and one plain summary."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import bench, environment
from .chromium import find_chromium
from .comfyui import place_pack
from .demo import interpreters
from .environment import ROOT, SetupFailed
from .processes import child_environment

#: the tests that need neither torch nor ComfyUI
PLAIN_TESTS = ("tests/unit", "tests/simulator", "tests/faults")
#: what mypy checks; the tests are not among it
TYPED = ("apis", "nodes", "simulator", "devtools", "headless.py")
#: Two servers with ComfyUI and torch at once are what a small machine carries.
WORKERS = 2
#: how pytest uses them; a file stays together, because its tests may share a ComfyUI
SPREAD = ("-n", str(WORKERS), "--dist", "loadfile")


@dataclass(frozen=True)
class Result:
    """How one check ended; ``text`` is what it printed."""

    name: str
    good: bool
    seconds: float
    text: str
    note: str = ""


#: seconds; a check that takes longer hangs
TOO_LONG = 900

#: what runs now, so that a stopped dev.py can end it
_running: set[subprocess.Popen[str]] = set()


def run_check(name: str, command: Sequence[str | Path], env: dict[str, str], folder: Path = ROOT) -> Result:
    """Run a check quietly in a folder and return how it ended."""
    begun = time.monotonic()
    with _process(command, env, stdin=subprocess.DEVNULL, folder=folder) as process:
        try:
            text, _ = process.communicate(timeout=TOO_LONG)
        except subprocess.TimeoutExpired as hung:
            said = (hung.output or b"").decode("utf-8", "replace")
            return Result(name, False, TOO_LONG, said, f"did not end in {TOO_LONG} s")
    return Result(name, process.returncode == 0, time.monotonic() - begun, text)


@contextmanager
def _process(
    command: Sequence[str | Path], env: dict[str, str], stdin: int | None = None, folder: Path = ROOT
) -> Iterator[subprocess.Popen[str]]:
    """Start a process in a folder whose output is read as one text; it ends with the block."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=env,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    _running.add(process)
    try:
        yield process
    finally:
        _end(process)
        if process.stdout is not None:
            process.stdout.close()
        _running.discard(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask a process to end, which lets pytest close its servers, and make it end if it will not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def validate_node(python: Path, env: dict[str, str]) -> Result:
    """Run the registry's own check on the pack; what it calls a warning is a failure here."""
    comfy = python.parent / ("comfy.exe" if sys.platform == "win32" else "comfy")
    # It asks on its first run whether it may send usage data, unless told not to ask.
    command = (comfy, "--skip-prompt", "--no-enable-telemetry", "node", "validate")
    result = run_check("comfy node validate", command, env)
    good = result.good and "passed" in result.text and "warning" not in result.text.lower()
    return replace(result, good=good)


def check_types(python: Path, env: dict[str, str]) -> Result:
    """Run mypy over the pack, seen as the package ``kling_takes`` whatever this folder is called."""
    folder = environment.DEV / "typed"
    place_pack(folder / "kling_takes")
    command = (python, "-m", "mypy", "--config-file", ROOT / "pyproject.toml")
    result = run_check("mypy --strict", (*command, *(f"kling_takes/{part}" for part in TYPED)), env, folder)
    return replace(result, text=re.sub(r"^kling_takes[/\\]", "", result.text, flags=re.MULTILINE))


def ensure_chromium() -> str:
    """Return the browser's path for the tests, installing one where that takes no question, else ''."""
    found = find_chromium()
    apt = shutil.which("apt-get")
    if found is None and apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Installing Chromium with apt-get ...", flush=True)
        for args in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run([apt, "-qq", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = find_chromium()
    if found is None:
        print(
            "No Chromium or Chrome was found, so the browser tests are skipped. Install one, or name it in "
            "the variable CHROMIUM_PATH."
        )
    return str(found or "")


def follow(name: str, command: Sequence[str | Path], env: dict[str, str]) -> Result:
    """Run pytest in the open: its lines appear as they come, and its closing line is kept for the summary."""
    begun = time.monotonic()
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    closing = ""
    with _process([*command, *colour], env) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            closing = line
        code = process.wait()
    note = re.sub(r"\x1b\[[0-9;]*m", "", closing).strip("= \n")
    return Result(name, code == 0, time.monotonic() - begun, "", note)


def environment_of_tests(comfyui: Path) -> dict[str, str]:
    """Return the environment of the tests: no keys of the person at the keyboard, this ComfyUI."""
    env = child_environment({"COMFYUI_DIR": str(comfyui), "COMFY_NO_TELEMETRY": "1"})
    if profile := os.environ.get("HYPOTHESIS_PROFILE"):
        env["HYPOTHESIS_PROFILE"] = profile
    return env


def plain_tests(version: tuple[int, int], python: Path, env: dict[str, str]) -> Result:
    """Run the torch-free tests under one more Python, with few examples for each property."""
    name = f"tests without torch, Python {version[0]}.{version[1]}"
    try:
        inside = environment.ensure_plain_python(version, python)
    except SetupFailed as error:
        return Result(name, False, 0.0, str(error))
    folders = [folder for folder in PLAIN_TESTS if (ROOT / folder).is_dir()]
    command = [str(inside), "-m", "pytest", "-q", "-p", "no:cacheprovider", *SPREAD, *folders]
    result = run_check(name, command, {**env, "HYPOTHESIS_PROFILE": "quick"})
    closing = result.text.strip().splitlines()[-1:] or [""]
    return Result(name, result.good, result.seconds, result.text, closing[0].strip("= "))


class Report:
    """Collects results from several threads and prints each in one piece."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._lock = threading.Lock()

    def add(self, result: Result) -> None:
        """File a result; the output of a failed check is printed at once."""
        with self._lock:
            self.results.append(result)
            if not result.good and result.text:
                print(f"\n--- {result.name} ---\n{result.text.rstrip()}\n", flush=True)

    def close(self, extra: Sequence[str]) -> int:
        """Print the summary and return the exit code."""
        print("\nSummary")
        for result in self.results:
            note = f"  ({result.note})" if result.note else ""
            print(f"  {'ok    ' if result.good else 'FAILED'} {result.seconds:6.1f} s  {result.name}{note}")
        for line in extra:
            print(f"  {line}")
        failed = [result.name for result in self.results if not result.good]
        print("Failed: " + ", ".join(failed) if failed else "Everything passed.", flush=True)
        return 1 if failed else 0


def run(options: argparse.Namespace) -> int:
    """Run everything, or only pytest with the arguments given, and return the exit code."""
    print("Setting up in .dev/ (the first time takes some minutes and 1.5 GB or more) ...", flush=True)
    own_python, comfyui = interpreters(options)
    with environment.only_one():
        python = environment.ensure_dev_venv()
        environment.ensure_test_packages()
        browser = ensure_chromium()
    env = environment_of_tests(comfyui)
    if browser:
        env["CHROMIUM_PATH"] = browser
    if options.python:
        env["COMFYUI_PYTHON"] = str(own_python)
    if options.pytest_args:
        command = [str(python), "-m", "pytest", *options.pytest_args]
        return subprocess.run(command, cwd=ROOT, env=env).returncode

    try:
        return everything(python, own_python, comfyui, env)
    except BaseException:
        for process in list(_running):
            _end(process)
        raise


def everything(python: Path, comfyui_python: Path, comfyui: Path, env: dict[str, str]) -> int:
    """Run all checks and tests, print the summary, and return the exit code."""
    begun = time.monotonic()
    report = Report()
    ruff = (python, "-m", "ruff")
    print("Running the checks ...", flush=True)
    side_by_side(
        report,
        [
            lambda: run_check("ruff check", (*ruff, "check", "."), env),
            lambda: run_check("ruff format", (*ruff, "format", "--check", "."), env),
            lambda: check_types(python, env),
            lambda: validate_node(python, env),
        ],
    )
    report.add(follow("tests", (python, "-m", "pytest", *SPREAD), env))
    own = environment.version_of(python)
    others = sorted(item for item in environment.find_pythons().items() if item[0] != own)
    found = ", ".join(f"{major}.{minor}" for (major, minor), _ in others) or "none"
    print(f"Running the tests that need no torch under the other Pythons found here: {found} ...", flush=True)
    for item in others:
        report.add(plain_tests(*item, env))
    extra = [bench.import_line(comfyui_python, comfyui), f"{time.monotonic() - begun:.0f} s in all"]
    return report.close(extra)


def side_by_side(report: Report, checks: Sequence[Callable[[], Result]]) -> None:
    """Run checks, two at a time, and report each in the order given."""
    pool = ThreadPoolExecutor(max_workers=WORKERS)
    try:
        for future in [pool.submit(check) for check in checks]:
            report.add(future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
