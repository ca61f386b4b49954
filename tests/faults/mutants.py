"""`dev.py mutants`: break the guards one by one and see that a test notices.

    mutants.py [--jobs N] [--only WORDS] [--list]

Each mutation of ``mutations.py`` is made in a copy of the project, and the tests that it names are run there.
One of them must fail ("killed"). A mutation that no test notices has survived: a test is missing. One whose
text is no longer in its file is stale. Both make the exit code 1.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .mutations import MUTATIONS, Edit, Mutation

ROOT = Path(__file__).resolve().parent.parent.parent
#: seconds that the tests of one mutation may take; one that hangs for ever has been noticed as well
PATIENCE = 180.0
#: What a copy needs to run the tests.
PARTS = (
    *("__init__.py", "pyproject.toml", "requirements.txt", "dev.py", "headless.py"),
    *("apis", "nodes", "simulator", "devtools", "tests", "locales", "example_workflows", "web"),
)
FINE = ("killed",)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation: ``outcome`` killed, survived, stale or broken; ``by`` says more."""

    mutation: Mutation
    outcome: str
    seconds: float
    by: str = ""


def stale(root: Path, edit: Edit) -> str:
    """Say why an edit can't be made in the project at ``root``, or an empty text."""
    path = root / edit.file
    found = path.read_text("utf-8").count(edit.old) if path.is_file() else -1
    if found < 0:
        return f"{edit.file} is not there"
    return "" if found == 1 else f"its text stands {found} times in {edit.file}"


class Copy:
    """A copy of the project in which one mutation after the other is made and taken back."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy the project at ``root`` into ``folder``."""
        self.folder = folder
        folder.mkdir()
        for part in PARTS:
            source = root / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.is_file():
                shutil.copy2(source, folder / part)
        self._age = time.time()

    def judge(self, mutation: Mutation) -> Verdict:
        """Make the mutation, run its tests, take it back."""
        begun = time.monotonic()
        whole: dict[str, str] = {}
        try:
            for edit in mutation.edits:
                problem = stale(self.folder, edit)
                if problem:
                    return Verdict(mutation, "stale", time.monotonic() - begun, problem)
                text = (self.folder / edit.file).read_text("utf-8")
                whole.setdefault(edit.file, text)
                self._write(edit.file, text.replace(edit.old, edit.new))
            outcome, by = self.run(mutation.tests)
            return Verdict(mutation, outcome, time.monotonic() - begun, by)
        finally:
            for file, text in whole.items():
                self._write(file, text)

    def _write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.write_text(text, "utf-8")
        # Python knows a stale compiled file by size and whole second, so each text gets seconds of its own.
        self._age += 2
        os.utime(path, (self._age, self._age))

    def run(self, tests: Sequence[str]) -> tuple[str, str]:
        """Run tests in the copy: killed by the first that fails, survived, or broken."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
        # The copy's own .ini options ask for nothing that takes long; colours would hide the names of tests.
        env = {**os.environ, "HYPOTHESIS_PROFILE": "quick", "PY_COLORS": "0"}
        try:
            reply = subprocess.run(
                [*command, *tests],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            return "killed", f"its tests do not end within {PATIENCE:.0f} s"
        if reply.returncode == 0:
            return "survived", ", ".join(tests)
        failed = re.search(r"^(?:FAILED|ERROR) \S+::(.+)$", reply.stdout, re.MULTILINE)
        if reply.returncode == 1 and failed:
            return "killed", failed[1]
        return "broken", (reply.stdout.strip().splitlines() or ["no output"])[-1]


def judge_all(root: Path, mutations: Sequence[Mutation], jobs: int) -> list[Verdict]:
    """Judge mutations of the project at ``root``, ``jobs`` at once; prints each verdict as it comes.

    Raises RuntimeError where a test fails before anything is broken.
    """
    with tempfile.TemporaryDirectory(prefix="kling-takes-mutants-", ignore_cleanup_errors=True) as temp:
        copies: queue.Queue[Copy] = queue.Queue()
        # Names that Python could import: pytest takes a folder with an __init__.py for a package.
        for number in range(jobs):
            copies.put(Copy(root, Path(temp) / f"copy_{number}"))

        tests = sorted({test for mutation in mutations for test in mutation.tests})
        first = copies.get()
        outcome, by = first.run(tests)
        copies.put(first)
        if outcome != "survived":
            raise RuntimeError(f"the tests do not pass on the unbroken project: {by}")

        def judge(mutation: Mutation) -> Verdict:
            copy = copies.get()
            try:
                verdict = copy.judge(mutation)
            finally:
                copies.put(copy)
            print(line_of(verdict), flush=True)
            return verdict

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            return list(pool.map(judge, mutations))


def line_of(verdict: Verdict) -> str:
    """One line of the table."""
    mark = verdict.outcome if verdict.outcome in FINE else verdict.outcome.upper()
    return f"{mark:9}{verdict.seconds:5.1f} s  {verdict.mutation.name}  ({verdict.by})"


def main(argv: list[str], *, root: Path = ROOT, mutations: Sequence[Mutation] = MUTATIONS) -> int:
    """Judge the mutations and return the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py mutants", description="Break the guards one by one.")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at once (2)")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only mutations whose name has these words"
    )
    parser.add_argument("--list", action="store_true", help="name the mutations and do nothing")
    options = parser.parse_args(argv)
    chosen = [mutation for mutation in mutations if options.only.lower() in mutation.name.lower()]
    if options.list:
        print("\n".join(mutation.name for mutation in chosen))
        return 0
    if not chosen:
        print(f"No mutation has the words {options.only!r} in its name.")
        return 2
    begun = time.monotonic()
    print(
        f"{len(chosen)} mutations, {options.jobs} at once; first the tests on the unbroken project ...",
        flush=True,
    )
    try:
        verdicts = judge_all(root, chosen, max(1, options.jobs))
    except RuntimeError as problem:
        print(f"Nothing was judged: {problem}")
        return 2
    bad = [verdict for verdict in verdicts if verdict.outcome not in FINE]
    killed = len(verdicts) - len(bad)
    print(f"\n{killed} of {len(verdicts)} mutations were noticed, {time.monotonic() - begun:.0f} s.")
    for verdict in bad:
        print(line_of(verdict))
    return 1 if bad else 0
