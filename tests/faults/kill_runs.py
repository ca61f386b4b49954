"""SIGKILL at every point and at random times, judged by the simulator's books.

``run_kills(random_times, seed)`` kills a real process once for every point that ``kill_points`` finds in each
scenario, then ``random_times`` times at a random moment of its life. After each kill it looks at the journal
as the dead process left it, runs the take again and asks the books what was paid.

``points="few"`` leaves out the moments that are much like those of a plain run, ``"none"`` all of them.
It needs ``os.fork``, so POSIX; ``SUPPORTED`` says whether this system can.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kling_takes.apis import errors
from kling_takes.apis.journal.schema import MIGRATIONS
from kling_takes.apis.kept import PART_MARK
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.render import tiny
from kling_takes.simulator.server import SimulatorServer
from kling_takes.simulator.state import MODERATION_FAILED, SimTask, State
from kling_takes.tests.stage import video

from .kill_points import Point
from .kill_server import DELIVERED, TOLD_AN_ERROR, one_take

ROOT = Path(__file__).resolve().parent.parent.parent
SUPPORTED = hasattr(os, "fork")
SIGKILL = 9
STATES = ("prepared", "told", "submitted", "succeeded", "delivered", "refused", "failed")
#: states in which a create was accepted and its task id is known
BOUGHT = ("submitted", "succeeded", "delivered", "failed")
#: After this point Kling has the task, and this side does not know it.
IN_DOUBT: Point = ("create: answer begun", 1)
AFTER_SUBMITTED: Point = ("journal submitted: COMMIT: after", 1)
#: a point that comes more often than this in one run is the same moment again
OCCURRENCES = 3


@dataclass(frozen=True)
class Scenario:
    """What goes wrong besides the kill."""

    name: str
    #: what the simulator breaks in the run that is killed
    faults: tuple[Fault, ...] = ()
    #: where an earlier run of the same take was killed
    earlier: Point | None = None
    #: whether the task of the earlier run has failed meanwhile
    failed: bool = False
    #: whether a run, not killed, has told the user so
    told: bool = False


SCENARIOS = (
    Scenario("a first run"),
    Scenario("a reply that is lost", (Fault("create", "make_then_reset"),)),
    Scenario("a create that fails unmade, twice", (Fault("create", "error_500_before", times=2),)),
    Scenario("a busy account", (Fault("create", "paced", times=2),)),
    Scenario("polls that fail", (Fault("query", "error_500_before", times=2),)),
    Scenario("a download that breaks", (Fault("download", "truncate_download", at=700),)),
    Scenario("the second run after a kill in doubt", earlier=IN_DOUBT),
    Scenario("the second run after a kill while waiting", earlier=AFTER_SUBMITTED),
    Scenario("the second run after the task has failed", earlier=AFTER_SUBMITTED, failed=True),
    Scenario("the second attempt", earlier=AFTER_SUBMITTED, failed=True, told=True),
)


@dataclass
class Report:
    """What was done and what came out; ``str()`` is for people."""

    scenarios: int = 0
    points: int = 0
    #: processes that died by SIGKILL, with a point and at a random time
    killed_at_points: int = 0
    killed_at_random: int = 0
    #: runs that were over before their random moment came; they are judged like the others
    ended_before: int = 0
    #: state of the take's row when its process died
    states: Counter[str] = field(default_factory=Counter)
    integrity_ok: int = 0
    delivered: int = 0
    paid_once: int = 0
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def runs(self) -> int:
        """Takes that were run, killed (or not in time) and run again."""
        return self.points + self.killed_at_random + self.ended_before

    def __str__(self) -> str:
        """Several lines."""
        states = ", ".join(f"{name} {count}" for name, count in sorted(self.states.items()))
        lines = [
            f"{self.points} points in {self.scenarios} scenarios: {self.killed_at_points} killed there",
            f"{self.killed_at_random} killed at random times, {self.ended_before} ended before theirs",
            f"the take's row at death: {states}",
            f"journal whole (integrity_check): {self.integrity_ok} of {self.runs}",
            f"delivered by the next run: {self.delivered} of {self.runs}",
            f"exactly one task billed: {self.paid_once} of {self.runs}",
            f"violations: {len(self.violations)}, {self.seconds:.0f} s",
            *self.violations[:20],
        ]
        return "\n".join(lines)


class KillServer:
    """The process that forks; one order at a time."""

    def __init__(self) -> None:
        """Start it; it is ready when the first answer comes."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("KLING_")}
        # macOS asks its own services for proxies, which a forked process must not do; a variable stops it.
        env["no_proxy"] = env["NO_PROXY"] = "*"
        launch = ROOT / "devtools" / "launch.py"
        self._process = subprocess.Popen(
            [sys.executable, str(launch), "pack", "tests.faults.kill_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def run(self, **order: Any) -> dict[str, Any]:
        """Run one child to its end; raises RuntimeError where the server itself is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that starts the runs has ended")
        result: dict[str, Any] = json.loads(answer)
        return result

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)


class Ground:
    """A simulator, a kill server and a folder, for many runs one after another."""

    def __init__(self, folder: Path, report: Report) -> None:
        """``folder`` is the caller's to remove."""
        self.folder = folder
        self.report = report
        self.state = State(
            render="tiny",
            submitted_seconds=0.0,
            processing_seconds=0.0,
            processing_per_second=0.0,
            concurrency_limit=10**6,
            balance_units=1e9,
        )
        self.server = SimulatorServer(self.state)
        self.killer = KillServer()
        self.count = 0

    def rehearse(self, scenario: Scenario) -> tuple[list[Point], float]:
        """The points of a scenario's run, and how long it takes in seconds."""
        run = self._begin(scenario)
        log = run.folder / "points.txt"
        result = self.killer.run(**run.order, log=str(log))
        self.state.faults.clear()
        lines = [line.split("\t") for line in log.read_text("utf-8").splitlines()]
        points = [(name, int(count)) for name, count in lines]
        if result["code"] != (TOLD_AN_ERROR if scenario.failed and not scenario.told else DELIVERED):
            self.report.violations.append(f"{scenario.name}: ended otherwise when undisturbed: {result}")
        return [point for point in points if point[1] <= OCCURRENCES], float(result["lived"])

    def kill(self, scenario: Scenario, *, at: Point | None = None, after: float | None = None) -> float:
        """Kill a run, judge what it left, run again, judge the books; returns the seconds it lived."""
        run = self._begin(scenario)
        result = self.killer.run(**run.order, die_at=at, kill_after=after)
        self.state.faults.clear()
        where = f"{scenario.name}, killed at {at or f'{after:.4f} s'}"
        wrong = [f"{where}: {text}" for text in self._judge(run, scenario, result, at)]
        self.report.violations.extend(wrong)
        return float(result["lived"])

    def _begin(self, scenario: Scenario) -> _Run:
        self.count += 1
        run = _Run(self.folder / f"run-{self.count}", f"kite number {self.count}", self.server.url)
        run.folder.mkdir()
        if scenario.earlier is not None:
            self.killer.run(**run.order, die_at=scenario.earlier)
        if scenario.failed:
            for task in self._tasks(run):
                task.fails_with = MODERATION_FAILED
        if scenario.told:
            self.killer.run(**run.order)
        self.state.faults[:] = scenario.faults
        return run

    def _tasks(self, run: _Run) -> list[SimTask]:
        return [task for task in list(self.state.tasks.values()) if task.order.prompt == run.prompt]

    def _judge(
        self, run: _Run, scenario: Scenario, result: dict[str, Any], at: Point | None
    ) -> Iterator[str]:
        report = self.report
        if result["hung"] or result["signal"] not in (0, SIGKILL):
            yield f"the run ended strangely: {result}"
        if at is not None:
            report.killed_at_points += result["signal"] == SIGKILL
            if result["signal"] != SIGKILL:
                yield "the point was never reached"
        elif result["signal"] == SIGKILL:
            report.killed_at_random += 1
        else:
            report.ended_before += 1
        yield from self._judge_journal(run)
        yield from self._judge_files(run)
        delivered = None
        for _ in range(2 if scenario.failed and not scenario.told else 1):
            try:
                delivered = asyncio.run(one_take(run.url, run.folder, run.prompt))
                break
            except errors.TaskFailed as error:
                if not scenario.failed:
                    yield f"the next run failed: {error}"
            except errors.KlingTakesError as error:
                yield f"the next run failed: {type(error).__name__}: {error}"
        committed = [task for task in self.state.committed() if task.order.prompt == run.prompt]
        if len(committed) == 1:
            report.paid_once += 1
        else:
            yield f"{len(committed)} tasks are billed"
        if delivered is None:
            yield "the next run did not deliver"
            return
        if committed and delivered.task_id != committed[0].id:
            yield "another task was delivered than the one paid for"
        path = video(delivered)
        if path.read_bytes() != tiny():
            yield "the delivered file is not the video"
        # The half of a process that is dead stays for a day: nobody else can tell that it is dead.
        if [file.name for file in path.parent.iterdir() if PART_MARK not in file.name] != [path.name]:
            yield "something was left beside the video"
        report.delivered += 1

    def _judge_journal(self, run: _Run) -> Iterator[str]:
        made = self._tasks(run)
        path = run.folder / "journal.sqlite3"
        if not path.exists():
            self.report.integrity_ok += 1
            self.report.states["no journal yet"] += 1
            if made:
                yield "a task was bought without a journal"
            return
        with closing(sqlite3.connect(path)) as connection:
            word = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if word == "ok":
                self.report.integrity_ok += 1
            else:
                yield f"integrity_check: {word}"
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            if (version, tables) not in ((0, []), (len(MIGRATIONS), [("tasks",)])):
                yield f"the journal's tables are half made: version {version}, {tables}"
            query = "SELECT state, task_id, external_task_id, attempt, sends FROM tasks ORDER BY attempt"
            rows = connection.execute(query).fetchall() if tables else []
        self.report.states[rows[-1][0] if rows else "no row yet"] += 1
        known = {task.external_task_id: task.id for task in made}
        for task in made:
            if task.external_task_id not in [row[2] for row in rows]:
                yield "a task was bought before its row was in the journal"
        for state, task_id, external_id, _attempt, sends in rows:
            if state not in STATES or sends < 1:
                yield f"a row in no legal state: {state}, {sends} sends"
            if (state in BOUGHT) != (task_id is not None):
                yield f"a row in state {state} with task id {task_id}"
            if task_id is not None and known.get(external_id) != task_id:
                yield "a row names a task that the books have under another id"
        attempts = [row[3] for row in rows]
        if attempts != list(range(1, len(rows) + 1)) or any(row[0] != "failed" for row in rows[:-1]):
            yield f"attempts that do not follow each other: {rows}"

    def _judge_files(self, run: _Run) -> Iterator[str]:
        for file in (run.folder / "files").glob("*.mp4"):
            if file.read_bytes() != tiny():
                yield "half a video has the name of a whole one"


@dataclass(frozen=True)
class _Run:
    folder: Path
    prompt: str
    url: str

    @property
    def order(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "prompt": self.prompt, "url": self.url}


@contextmanager
def ground(report: Report) -> Iterator[Ground]:
    """A ground, cleaned up at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="kling-takes-kill-") as folder:
        place = Ground(Path(folder), report)
        try:
            with place.server:
                yield place
        finally:
            place.killer.close()


def apart(points: list[Point], plain: list[Point]) -> list[Point]:
    """The points at which a run is not just where a plain run would be as well."""
    names, plain_names = [name for name, _ in points], [name for name, _ in plain]
    first = 0
    while first < min(len(names), len(plain_names)) and names[first] == plain_names[first]:
        first += 1
    last = 0
    room = min(len(names), len(plain_names)) - first
    while last < room and names[-1 - last] == plain_names[-1 - last]:
        last += 1
    return points[first : len(points) - last]


def few(points: list[Point], plain: list[Point], scenario: Scenario) -> list[Point]:
    """The points to kill at when there is little time."""
    if scenario.earlier is None:
        return apart(points, plain)
    # Here even the same steps start from another row, so the turning points of all of them are kept.
    turns = ("COMMIT: before", "COMMIT: after", "body sent", "answer begun", "rename: after")
    return [point for point in points if point[0].endswith(turns)]


def run_kills(
    random_times: int,
    seed: int,
    *,
    scenarios: tuple[Scenario, ...] = SCENARIOS,
    points: Literal["every", "few", "none"] = "every",
) -> Report:
    """Kill at the points of every scenario, then until ``random_times`` died at random times; POSIX only."""
    report = Report(scenarios=len(scenarios))
    begun = time.monotonic()
    chance = random.Random(seed)
    with ground(report) as place:
        lives: dict[str, float] = {}
        plain, _ = place.rehearse(SCENARIOS[0])
        for scenario in scenarios:
            found, lives[scenario.name] = place.rehearse(scenario)
            if points == "none":
                continue
            if points == "few" and scenario is not SCENARIOS[0]:
                found = few(found, plain, scenario)
            for point in found:
                report.points += 1
                place.kill(scenario, at=point)
        while report.killed_at_random < random_times and report.ended_before < 2 * random_times:
            scenario = chance.choice(scenarios)
            ended = report.ended_before
            lived = place.kill(scenario, after=chance.uniform(0.0, lives[scenario.name]))
            if report.ended_before > ended:
                # A machine with more to do at the rehearsal than now would have us aim at what is over.
                lives[scenario.name] = min(lives[scenario.name], lived)
    report.seconds = time.monotonic() - begun
    return report
