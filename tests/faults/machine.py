"""A Hypothesis state machine that breaks a world in every way it knows, step by step.

Each step lets some processes want some takes while things go wrong, or changes the conditions for the next
steps. The judge looks after every step; at the end everything is mended, and what was paid must be delivered.
"""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kling_takes.apis import errors
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.money import Payment
from kling_takes.tests.faults import judge
from kling_takes.tests.faults.rig import Rig
from kling_takes.tests.faults.scenario import (
    ECHOES,
    ENDS,
    FORMS,
    HOME,
    KINDS,
    LOSSES,
    PAYMENTS,
    PROCESSES,
    PURSES,
    RATES,
    TAKES,
    WANTED,
    Cut,
    Errand,
    Loss,
    Outcome,
)
from kling_takes.tests.faults.world import World

#: steps of one run, at most
STEPS = 6

_hang = st.sampled_from([5.0, 40.0, 90.0, 400.0])
_times = st.sampled_from([1, 1, 1, 2, 3, 6])


@st.composite
def faults(draw: st.DrawFn, operations: tuple[str, ...]) -> Fault:
    """A fault for one of the operations."""
    operation = draw(st.sampled_from(operations))
    kind = draw(st.sampled_from(KINDS[operation]))
    at = (
        draw(st.sampled_from([0, 1, 7, 20, 60, 150, 300]))
        if kind in ("reset_after_bytes", "truncate_download")
        else 0
    )
    seconds = draw(_hang) if kind == "hang" else 0.0
    wait = draw(st.sampled_from([None, None, "2", "77", "100000"])) if kind == "paced" else None
    return Fault(operation, kind, draw(_times), at, seconds, wait)


cuts = st.one_of(
    st.none(),
    st.builds(Cut, st.just("cancel"), number=st.integers(1, 45), turns=st.integers(0, 12)),
    st.builds(
        Cut, st.just("cancel_at"), seconds=st.sampled_from([0.0, 0.5, 1.5, 3.0, 5.0, 10.0, 61.0, 100.0])
    ),
    st.builds(Cut, st.just("kill"), number=st.integers(1, 6), before=st.booleans()),
)
takes = st.integers(0, WANTED - 1)
forms = st.sampled_from(["int", "int", *FORMS])
delays = st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.9, 4.0, 30.0])
creates_and_lookups = st.lists(faults(("create", "create", "lookup")), max_size=3)
all_faults = st.lists(faults(("create", "create", "lookup", "query", "download")), max_size=4)


class TakesMachine(RuleBasedStateMachine):
    """One run; ``rig`` is given to a subclass by whoever runs it."""

    rig: ClassVar[Rig]
    finished: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.sound = True

    @property
    def here(self) -> World:
        assert self.world is not None
        return self.world

    @initialize(
        mode=st.sampled_from(["own", "own", "own", "gateway", "comfy"]),
        idempotency=st.sampled_from(["conflict", "replay", "ignored"]),
        late=st.sampled_from([0, 0, 2, 7]),
        by_nodes=st.sampled_from([False] * 9 + [True]),
        max_usd=st.sampled_from(["", "", "0.5", "1"]),
    )
    def begin(self, mode: str, idempotency: str, late: int, by_nodes: bool, max_usd: str) -> None:
        """A Kling, an account and computers whose disks are fast or slow, with a limit or without."""
        self.world = World(
            self.rig, mode, idempotency=idempotency, late=late, by_nodes=by_nodes, max_usd=max_usd
        )
        self.rig.counts["story by way of the nodes"] += by_nodes
        self.rig.counts["story with a limit in dollars"] += bool(max_usd)
        self.rig.counts[f"account: {mode}" + (f", keys {idempotency}" if mode == "comfy" else "")] += 1

    @rule(process=st.sampled_from(PROCESSES), take=takes, cut=cuts, form=forms, broken=all_faults)
    def run_one(self, process: str, take: int, cut: Cut | None, form: str, broken: list[Fault]) -> None:
        """One process wants one take, whose number is given in this form or that."""
        self.here.books.faults[:] = broken
        self.rig.counts[f"number of the take given as {form}"] += form != "int"
        self._do([Errand(process, take, cut, form=form)])

    @rule(
        errands=st.lists(
            st.builds(Errand, st.sampled_from(PROCESSES), takes, cuts, delays), min_size=2, max_size=4
        ),
        broken=creates_and_lookups,
    )
    def run_several(self, errands: list[Errand], broken: list[Fault]) -> None:
        """Several want something at once."""
        self.here.books.faults[:] = broken
        self._do(errands)

    @rule(
        process=st.sampled_from(PROCESSES),
        items=st.integers(3, len(TAKES)),
        cut=cuts,
        broken=creates_and_lookups,
    )
    def run_list(self, process: str, items: int, cut: Cut | None, broken: list[Fault]) -> None:
        """One node is fed with a list."""
        self.here.books.faults[:] = broken
        self.rig.counts["lists"] += 1
        self.rig.counts["takes run in a list"] += items
        self._do([Errand(process, take, cut if take == 1 else None, place=take) for take in range(items)])

    @rule(
        take=takes,
        processes=st.lists(st.sampled_from(PROCESSES), min_size=2, max_size=3),
        cut=cuts,
        broken=creates_and_lookups,
    )
    def run_duel(self, take: int, processes: list[str], cut: Cut | None, broken: list[Fault]) -> None:
        """Several want the same take at the same moment."""
        self.here.books.faults[:] = broken
        self._do([Errand(name, take, cut if place == 0 else None) for place, name in enumerate(processes)])

    @rule(
        process=st.sampled_from(PROCESSES),
        take=takes,
        down=st.sampled_from([0.5, 4.0, 20.0, 200.0]),
        delay=st.sampled_from([0.0, 0.0, 10.0]),
        cut=cuts,
    )
    def run_while_down(self, process: str, take: int, down: float, delay: float, cut: Cut | None) -> None:
        """The host refuses connections for a while."""
        self._do([Errand(process, take, cut), Errand(process, take, None, delay)], down)

    @rule(
        process=st.sampled_from(PROCESSES),
        wanted=st.lists(takes, min_size=1, max_size=3),
        how=st.sampled_from(LOSSES[:2]),
        after=st.sampled_from([0.0, 0.001, 0.5, 2.0, 10.0]),
    )
    def run_while_lost(self, process: str, wanted: list[int], how: str, after: float) -> None:
        """The journal is deleted or set aside while takes are on their way."""
        world = self.here
        if not world.forgets_at(HOME[process]):
            world.books.faults.clear()
            self._do([Errand(process, take) for take in wanted], loss=Loss(HOME[process], how, after))

    @rule(
        blind=st.sampled_from([0.0, 0.0, 3.0, 20.0, 90.0, 5000.0]),
        slots=st.sampled_from([0, 1, 2, 5]),
        links_late=st.sampled_from([0.0, 0.0, 20.0, 100.0, 700.0]),
        processing=st.sampled_from([3.0, 3.0, 300.0, 3000.0]),
        max_wait=st.sampled_from(["1", "20"]),
        lost=st.sampled_from(["", "", "", "tasks", "results"]),
        echo=st.sampled_from(["", "", "", *sorted(ECHOES)]),
    )
    def change_weather(
        self,
        blind: float,
        slots: int,
        links_late: float,
        processing: float,
        max_wait: str,
        lost: str,
        echo: str,
    ) -> None:
        """Kling finds, admits, makes, remembers and says things otherwise than before."""
        world = self.here
        books, counts = world.books, self.rig.counts
        books.lookup_blind_seconds = blind
        books.concurrency_limit = slots
        books.links_late_seconds = links_late
        books.processing_seconds = processing
        world.max_wait = max_wait
        tasks = [create.task for create in world.creates if create.task is not None]
        books.forgotten = {task.external_task_id or "" for task in tasks if lost == "tasks"}
        books.vanished = {task.id for task in tasks if lost == "results"}
        books.echo = ECHOES.get(echo)
        counts["lookup blind for a while"] += blind > 0
        counts["fewer slots than takes"] += slots < WANTED
        counts["links come late"] += links_late > 0
        counts["task exists and is never shown"] += len(books.forgotten)
        counts["results gone"] += len(books.vanished)
        counts[f"Kling repeats {echo}"] += bool(echo)

    @rule(
        dooms=st.lists(st.sampled_from(sorted(ENDS)), max_size=2),
        pays=st.sampled_from(sorted(PAYMENTS)),
        rate=st.sampled_from(["as estimated", "as estimated", *RATES]),
        balance=st.sampled_from([1000.0, 1000.0, 1000.0, 2.0, 0.0]),
    )
    def change_bills(self, dooms: list[str], pays: str, rate: str, balance: float) -> None:
        """The account pays otherwise than before, and tasks end otherwise."""
        books, counts = self.here.books, self.rig.counts
        books.dooms[:] = dooms
        books.payment = Payment(*PAYMENTS[pays])
        books.rate = RATES[rate]
        books.balance_units = sum(task.billed_units or 0.0 for task in books.billed()) + balance
        counts["account without units"] += balance < 10
        counts[f"account pays in {pays}"] += 1
        counts[f"deducted {rate}"] += 1

    @rule(
        what=st.sampled_from(["restart", "wipe", "clock", "wait", "delete videos", "cut videos"]),
        name=st.sampled_from(PROCESSES),
        by=st.sampled_from([-86400.0, -600.0, 600.0, 86400.0 * 40]),
        seconds=st.sampled_from([2.0, 60.0, 4000.0]),
    )
    def meddle(self, what: str, name: str, by: float, seconds: float) -> None:
        """A process ends and comes again, a journal is deleted, a wall clock jumps, or time passes."""
        world, home = self.here, HOME[name]
        if what == "restart":
            self.rig.counts["process restarted"] += name in world.processes
            world.restart(name)
        elif what == "wait":
            world.sleep(seconds)
        elif what in ("delete videos", "cut videos"):
            world.spoil(home, cut=what == "cut videos")
        elif what == "clock":
            world.clocks[home].jump += by
            world.jumped.add(home)
            self.rig.counts["clock jumped " + ("forward" if by > 0 else "back")] += 1
        elif not world.forgets_at(home):
            # Where the proxy forgets keys the journal is all there is, so it is not deleted there.
            world.wipe(home)

    @rule(name=st.sampled_from(PROCESSES), how=st.sampled_from(LOSSES), take=takes)
    def lose_journal(self, name: str, how: str, take: int) -> None:
        """A journal is deleted, set aside or replaced under an open process, whose next run sees it."""
        world, home = self.here, HOME[name]
        if world.forgets_at(home):
            return
        if how == LOSSES[2]:
            # As the papers say: whoever puts a record back closes the other process before.
            for other in [other for other in world.processes if HOME[other] == home and other != name]:
                world.restart(other)
        is_open = name in world.processes and world.processes[name].has_journal_open
        if world.lose(home, how) and is_open:
            world.books.faults.clear()
            creates = len(world.creates)
            outcome = self._do([Errand(name, take)])[0]
            if not isinstance(outcome.error, errors.JournalError) or len(world.creates) > creates:
                world.note(f"a journal that was {how} went unnoticed: {outcome}")
            judge.check(world, [])

    @precondition(lambda self: self.world is not None and self.world.mode == "own")
    @rule(purse=st.sampled_from(sorted(PURSES)), restarted=st.booleans())
    def change_payer(self, purse: str, restarted: bool) -> None:
        """Somebody else pays at home: another key, of whichever account, a gateway, or Comfy.org."""
        self.here.change_purse(purse, restarted=restarted)

    @precondition(lambda self: self.world is not None and self.world.mode != "comfy")
    @rule(name=st.sampled_from(PROCESSES), take=takes, ours=st.booleans())
    def recover(self, name: str, take: int, ours: bool) -> None:
        """Somebody collects a task of his own by one of its ids; that buys nothing."""
        world = self.here
        if world.is_proxied(world.owner(name)):
            return
        world.books.faults.clear()
        mine = [
            create.task
            for create in world.creates
            if create.task is not None
            and create.owner == world.owner(name)
            and create.prompt == TAKES[take][0]
        ]
        if mine:
            accepted = world.books.creates_accepted
            outcome = world.recover(name, (mine[-1].external_task_id or "") if ours else mine[-1].id)
            if world.books.creates_accepted != accepted:
                world.note("recovering a task bought one")
            judge.check(world, [(name, take, outcome)])

    def _do(
        self, errands: list[Errand], down: float | None = None, loss: Loss | None = None
    ) -> list[Outcome]:
        self.sound = False
        outcomes = self.here.do(errands, down, loss)
        pairs = zip(errands, outcomes, strict=True)
        judge.check(self.here, [(errand.process, errand.take, outcome) for errand, outcome in pairs])
        self.sound = True
        return outcomes

    def teardown(self) -> None:
        """Mend everything and collect what was paid."""
        world = self.world
        if world is None:
            return
        try:
            if self.sound:
                judge.finale(world)
        finally:
            world.close()
        type(self).finished += 1
