"""What must be true whatever was broken, read from the simulator's books and not from the pack's word."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from kling_takes.apis import errors
from kling_takes.simulator.render import tiny
from kling_takes.simulator.task import SimTask
from kling_takes.tests.faults import purchases
from kling_takes.tests.faults.purchases import committed, region
from kling_takes.tests.faults.scenario import (
    CANARY,
    HOME,
    PROCESSES,
    PURSES,
    TAKES,
    Errand,
    Outcome,
    Violation,
)
from kling_takes.tests.faults.world import World
from kling_takes.tests.stage import video

#: fields of a row that each state must have
NEEDS_TASK = ("submitted", "succeeded", "delivered", "failed")


def check(world: World, outcomes: list[tuple[str, int, Outcome]]) -> None:
    """Raise Violation for the first promise that does not hold now."""
    broken = [*world.notes, *world.rig.lingering(), *purchases.broken(world)]
    for process, take, outcome in outcomes:
        broken += _delivery(world, process, take, outcome)
    for home in sorted(set(HOME.values())):
        broken += _journal(world, home)
    if broken:
        raise Violation("; ".join(broken))


def finale(world: World) -> None:
    """With everything mended, every paid video is delivered, delivering buys nothing, and the bill agrees."""
    world.clear_weather()
    world.sleep(1000)
    purses = sorted(world.purses, key=lambda purse: (PURSES[purse].owner, purse))
    for purse in purses if world.mode == "own" else ["usual"]:
        world.change_purse(purse)
        for number, (prompt, _model) in enumerate(TAKES):
            for place, owner in enumerate(sorted({world.owner(name) for name in PROCESSES})):
                paid = committed(world)[owner, prompt]
                homes = [name for name in PROCESSES if world.owner(name) == owner]
                if paid:
                    _collects(world, homes[(number + place) % len(homes)], number, paid)
        _audit(world)
    for seconds in (1.0, 1.0):
        world.sleep(seconds)
    if world.rig.connections:
        raise Violation(f"{world.rig.connections} connections are left")


def _collects(world: World, process: str, number: int, paid: list[SimTask]) -> None:
    proxied = world.is_proxied(world.owner(process))
    known = not proxied or _known(world, process, number)
    made = {task.id for task in paid if not (task.fails_with or task.ends_as)}
    accepted = world.books.creates_accepted
    # A task that failed unnoticed is told once; then the next attempt's turn comes.
    for _ in range(12):
        outcome = _run(world, process, number)
        if not isinstance(outcome.error, errors.TaskFailed):
            break
    said = f"{process} ended with {type(outcome.error).__name__}: {outcome.error}"
    if known and made and outcome.delivered is None:
        raise Violation(f"a paid video was not delivered: {said}")
    if known and world.books.creates_accepted != accepted:
        raise Violation(f"delivering what {process} has paid bought another one: {said}")
    if not made:
        if known and not isinstance(outcome.error, errors.TaskFailed | errors.TaskEnded):
            raise Violation(f"a failure that was billed was not told: {said}")
        return
    if outcome.delivered is None:
        # Through the proxy a lost reply stays lost; the user must hear of it, or of who has paid.
        told = errors.OutcomeUnknown | errors.AlreadyExists | errors.BoughtElsewhere
        if not isinstance(outcome.error, told):
            raise Violation(f"nobody was told that a purchase is in doubt: {said}")
    elif known and outcome.delivered.task_id not in made and not _is_own(world, process, outcome):
        raise Violation("another video than the paid one was delivered")
    elif known and not outcome.delivered.collected:
        raise Violation("a collected video was announced as bought")


def _is_own(world: World, process: str, outcome: Outcome) -> bool:
    """Whether what was delivered was bought by the user himself, with whichever key of one region."""
    delivered = outcome.delivered
    return delivered is not None and any(
        create.task is not None and create.task.id == delivered.task_id
        for create in world.creates
        if region(create.owner) == region(world.owner(process))
    )


def _audit(world: World) -> None:
    """Kling's bill says the same as the books and as each journal, as far as wall clocks let it."""
    if world.mode != "own":
        return
    for name in ("one", "far", "stranger"):
        if HOME[name] in world.jumped or world.is_proxied(world.owner(name)):
            continue
        audit = world.audit(name)
        if not audit.agrees:
            raise Violation(f"the audit of {name} says: {audit.text()}")
        account = world.books.api_keys[world.key(name)]
        taken = {entry.task.id for entry in world.books.deductions if entry.task.account == account}
        if {task.task_id for task in audit.billed} != taken:
            raise Violation(f"the audit of {name} does not have what the books have: {audit.text()}")
        ours = {create.task.id for create in world.creates if create.task and create.home == HOME[name]}
        unknown = [line for line in audit.unknown if line.partition(":")[0] in ours]
        # One row stands for a purchase of each of two accounts of one region.
        two = HOME[name] == "home" and "second" in world.purses
        if len(unknown) > audit.in_doubt and HOME[name] not in world.wiped and not two:
            raise Violation(f"the bill of {name} has what no journal has: {audit.text()}")
        world.rig.counts["audit agrees"] += 1


def _run(world: World, process: str, number: int) -> Outcome:
    outcome = world.do([Errand(process, number)])[0]
    check(world, [(process, number, outcome)])
    return outcome


def _known(world: World, process: str, number: int) -> bool:
    """Whether the journal knows a task of the take that has not failed."""
    path = world.journal_path(process)
    tasks = {task.id for task in committed(world)[world.owner(process), TAKES[number][0]]}
    rows = _rows(path)
    return any(row["task_id"] in tasks and row["state"] != "failed" for row in rows)


# -- what was delivered -------------------------------------------------------------------------------


def _delivery(world: World, process: str, take: int, outcome: Outcome) -> list[str]:
    """What was delivered is his own, of the right take, and whole; what may come is not called gone."""
    delivered = outcome.delivered
    if isinstance(outcome.error, errors.TaskGone) and HOME[process] not in world.jumped:
        return [f"{process} was told that a video of today is gone: {outcome.error}"]
    if delivered is None:
        return []
    makers = {create.task.id: create for create in world.creates if create.task is not None}
    create = makers.get(delivered.task_id)
    broken = []
    if create is None or (create.owner != world.owner(process) and not _is_own(world, process, outcome)):
        broken.append(f"{process} got a video that {create.owner if create else 'nobody'} has bought")
    elif create.task is None or create.task.order.prompt != TAKES[take][0]:
        broken.append(f"{process} got the video of another take")
    path = video(delivered)
    if path.read_bytes() != tiny():
        broken.append("a delivered file is not the whole video")
    return broken


# -- the journal ---------------------------------------------------------------------------------------


def _rows(path: Path) -> list[sqlite3.Row]:
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM tasks").fetchall()


def _journal(world: World, home: str) -> list[str]:
    path = world.folder / home / "journal.sqlite3"
    if not path.exists():
        return []
    broken = [f"a key is in {name}" for name in world.disks[home].names_with(CANARY)]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return [*broken, "the journal is damaged"]
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            return broken
        rows = connection.execute("SELECT * FROM tasks").fetchall()
    for row in rows:
        broken += [f"the journal of {home} {lie}" for lie in _lies(world, row)]
    broken += _spent(world, home, rows)
    return broken


def _lies(world: World, row: sqlite3.Row) -> list[str]:
    """Compare one row with Kling's books."""
    task = world.books.tasks.get(row["task_id"] or "")
    if row["state"] in NEEDS_TASK and task is None:
        return [f"has a {row['state']} row for a task that does not exist"]
    if task is None:
        return []
    lies = []
    outcome = world.books.settle(task).outcome
    if row["external_task_id"] != task.external_task_id:
        lies.append("has the task of another id")
    if row["state"] in ("succeeded", "delivered") and outcome != "succeed":
        lies.append(f"calls a task {row['state']} that is {outcome}")
    if row["state"] == "failed" and outcome != "failed":
        lies.append("calls a task failed that is not")
    return lies


def _spent(world: World, home: str, rows: list[sqlite3.Row]) -> list[str]:
    """A computer that has kept its journal counts at least what its own creates have cost."""
    if home in world.wiped or world.forgets_at(home):
        return []
    if home == "home" and "second" in world.purses:
        return []  # one row can stand for a purchase of each of two accounts
    if world.mode == "gateway":
        return []  # one key on two computers: the server can't tell whose create it was
    bought = [
        create.task
        for create in world.creates
        if create.task is not None and create.task.costs and create.home == home
    ]
    counted = sum(
        row["adopted"] == 0
        and (
            row["state"] not in ("refused", "failed")
            or (row["deducted_units"] or 0) + (row["deducted_cash"] or 0) > 0
        )
        for row in rows
    )
    return [f"{home} counts {counted} of {len(bought)} purchases"] if counted < len(bought) else []
