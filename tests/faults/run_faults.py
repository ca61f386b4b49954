"""`dev.py faults`: run the state machine many times and print what was broken and what came of it.

The same `--runs` and `--seed` give the same runs, however many `--jobs` share them, with the same versions of
Python, Hypothesis and aiohttp.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from kling_takes.tests.faults.kill_runs import SUPPORTED, run_kills
from kling_takes.tests.faults.machine import STEPS, TakesMachine
from kling_takes.tests.faults.rig import Rig

ROOT = Path(__file__).resolve().parents[2]
#: runs that share one seed; a batch is what one job does at a time
BATCH = 250
#: processes that `--kill` kills at random times
RANDOM_KILLS = 200


def run_batch(runs: int, chosen: int, *, shrink: bool = True) -> tuple[int, Counter[str]]:
    """Do so many runs in this process; gives how many there were and what was broken in them.

    Raises the first Violation, with the smallest run that shows it where ``shrink`` is set.
    """
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    wanted = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with Rig() as rig:
        machine = type("Machine", (TakesMachine,), {"rig": rig, "finished": 0})
        run_state_machine_as_test(seed(chosen)(machine), settings=wanted)
        return machine.finished, +rig.counts


def main(argv: Sequence[str]) -> int:
    """Run from the command line; returns 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="dev.py faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="how many runs (500)")
    parser.add_argument("--seed", type=int, default=1, help="which runs (1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes to share the runs (1)")
    parser.add_argument(
        "--kill",
        action="store_true",
        help="kill real processes instead: at every point of a run, and 200 times at random",
    )
    parser.add_argument("--batch", type=int, metavar="N", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.kill:
        if not SUPPORTED:
            parser.error("--kill needs os.fork, which this system does not have")
        report = run_kills(RANDOM_KILLS, options.seed)
        print(report)
        return 1 if report.violations else 0
    if options.batch is not None:
        done, counts = run_batch(options.runs, options.batch)
        print(json.dumps({"runs": done, "counts": counts}))
        return 0
    return _all(options.runs, options.seed, max(1, options.jobs))


def _all(runs: int, chosen: int, jobs: int) -> int:
    begun = time.monotonic()
    sizes = [min(BATCH, runs - start) for start in range(0, runs, BATCH)]
    print(f"{runs} runs of up to {STEPS} steps, seed {chosen}, {jobs} at a time", flush=True)
    counts: Counter[str] = Counter()
    done = violations = 0
    with ThreadPoolExecutor(jobs) as pool:
        work = [pool.submit(_child, size, chosen * 1_000_003 + place) for place, size in enumerate(sizes)]
        for future in work:
            reply = future.result()
            try:
                told = json.loads(reply.stdout.splitlines()[-1])
            except (ValueError, IndexError):
                violations += 1
                print(reply.stdout + reply.stderr, flush=True)
                continue
            done += told["runs"]
            counts.update(told["counts"])
            print(f"  {done} runs, {time.monotonic() - begun:.0f} s", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{count:9d}  {name}")
    print(f"{done} runs in {time.monotonic() - begun:.0f} s, violations: {violations}")
    return 1 if violations or done < runs else 0


def _child(runs: int, batch_seed: int) -> subprocess.CompletedProcess[str]:
    launch = ROOT / "devtools" / "launch.py"
    arguments = ["--runs", str(runs), "--batch", str(batch_seed)]
    return subprocess.run(
        [sys.executable, str(launch), "pack", "tests.faults.run_faults", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
