"""A small world to break: one simulated Kling, and four ComfyUI processes that want the same few takes."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aiohttp import web

from kling_takes.apis import account_reads, errors, slots, studio
from kling_takes.apis.audit import Audit
from kling_takes.apis.settings import Settings, load_settings
from kling_takes.simulator.request_handler import RequestHandler
from kling_takes.tests.faults.books import Books, Create, create_of
from kling_takes.tests.faults.disk import JOURNAL, Disk
from kling_takes.tests.faults.node_layer import take_by_node
from kling_takes.tests.faults.processes import (
    Process,
    Run,
    Watcher,
    awaited,
    texts_of,
    watching,
    working_for,
)
from kling_takes.tests.faults.rig import Rig
from kling_takes.tests.faults.scenario import (
    CANARY,
    FORMS,
    HOME,
    KEYS,
    OWNER,
    PURSES,
    TAKES,
    Errand,
    Killed,
    Loss,
    Outcome,
)
from kling_takes.tests.faults.wanted import request_of
from kling_takes.tests.virtual_time import LoopClock

#: turns of the loop after which everything that a run has closed is closed on both ends
SETTLING = 12
#: creates in one world that can only come from a loop without a pause
ENDLESS = 1000


class World:
    """One example: its Kling, its processes, and what was seen of them."""

    def __init__(
        self,
        rig: Rig,
        mode: str,
        *,
        idempotency: str = "conflict",
        late: int = 0,
        by_nodes: bool = False,
        max_usd: str = "",
    ) -> None:
        self.rig = rig
        self.mode = mode
        self.late = late
        self.by_nodes = by_nodes
        #: dollars that each computer may spend in a day
        self.max_usd = self.limit = max_usd
        #: which key is put in at home, and which ever were
        self.purse = "usual"
        self.purses = {"usual"}
        #: computers whose wall clock ever jumped
        self.jumped: set[str] = set()
        self.folder = Path(tempfile.mkdtemp(dir=rig.folder))
        #: of each computer, which may be wrong, and the true one
        self.clocks = {home: LoopClock(rig.loop) for home in HOME.values()}
        self.clock = LoopClock(rig.loop)
        self.disks = {home: Disk(self.folder / home) for home in HOME.values()}
        self.notes: list[str] = []
        self.creates: list[Create] = []
        self.told: Counter[tuple[str, str]] = Counter()
        #: by computer and task: how many creates there had been when what it cost was known there
        self.price_known: dict[tuple[str, str], int] = {}
        self.wiped: set[str] = set()
        self.processes: dict[str, Process] = {}
        self._all: list[Process] = []
        self.max_wait = "20"
        accounts = {KEYS["far"]: "mine", KEYS["stranger"]: "theirs"}
        users = {PURSES["signed in"].key: "me"}
        for purse in PURSES.values():
            if purse.way != "comfy":
                accounts[purse.key] = "mine" if purse.owner == OWNER["one"] else purse.owner
        if mode == "gateway":
            accounts, users = dict.fromkeys(KEYS.values(), "gateway"), {}
        elif mode == "comfy":
            accounts, users = {}, {key: key for key in KEYS.values()}
        self.books = Books(
            self,
            render="tiny",
            clock=self.clock.time,
            api_keys=accounts,
            comfy_tokens=users,
            proxy_idempotency=idempotency,
        )
        self.handler = RequestHandler(self.books)
        rig.world = self

    def owner(self, process: str) -> str:
        """Who owns what this process buys."""
        if self.mode == "comfy":
            return HOME[process]
        return PURSES[self.purse].owner if HOME[process] == "home" else OWNER[process]

    def is_proxied(self, owner: str) -> bool:
        """Whether an owner buys through Comfy.org's proxy."""
        return self.mode == "comfy" or owner == PURSES["signed in"].owner

    def forgets(self, owner: str) -> bool:
        """Whether nothing but the owner's journal keeps his creates apart."""
        return self.is_proxied(owner) and self.books.proxy_idempotency == "ignored"

    def forgets_at(self, home: str) -> bool:
        """Whether that is so for anybody who ever bought on a computer."""
        owners = {PURSES[purse].owner for purse in self.purses} if home == "home" else {home}
        return any(self.forgets(owner) for owner in owners)

    def journal_path(self, process: str) -> Path:
        """The journal of the computer on which the process runs."""
        return self.folder / HOME[process] / JOURNAL

    def way(self, process: str) -> str:
        """Return how a process reaches Kling: a region, ``gateway`` or ``comfy``."""
        if self.mode == "own":
            return PURSES[self.purse].way if HOME[process] == "home" else "global"
        return self.mode

    def key(self, process: str) -> str:
        """Return the key that a process has."""
        if self.mode == "own" and HOME[process] == "home":
            return PURSES[self.purse].key
        # Behind a gateway the user has one key on all his computers: a key is all that tells users apart.
        return KEYS["one"] if self.mode == "gateway" and process == "far" else KEYS[process]

    def settings(self, process: str) -> Settings:
        """Where and as whom a process asks."""
        home, url = self.folder / HOME[process], f"http://127.0.0.1:{self.rig.port}"
        key, way = self.key(process), self.way(process)
        environ = {"KLING_MAX_WAIT_MINUTES": self.max_wait, "KLING_MAX_USD_PER_DAY": self.limit}
        if way == "comfy":
            return load_settings(environ, home, comfy_token=key, comfy_api_base=url)
        settings = load_settings({**environ, "KLING_API_KEY": key, "KLING_API_BASE": url}, home)
        if way != "gateway":
            settings = dataclasses.replace(settings, account=f"kling:{way}", region=way, shares_account=False)
        return settings

    def process(self, name: str) -> Process:
        """The living process of this name; a dead one is started again."""
        if name not in self.processes or self.processes[name].dead:
            self.processes[name] = Process(self, name)
            self._all.append(self.processes[name])
        return self.processes[name]

    def restart(self, name: str) -> None:
        """End a process and forget what it had in memory."""
        if name in self.processes:
            process = self.processes.pop(name)
            if not process.dead:
                process.worker.finish()
            process.dead = True

    def _bury(self, home: str) -> None:
        """Close what the dead processes of a computer had open, as their system has done long ago."""
        for process in self._all:
            if process.dead and HOME[process.name] == home:
                process.journal.close()

    def wipe(self, home: str) -> None:
        """Delete the journal of a computer."""
        for name in [name for name in self.processes if HOME[name] == home]:
            self.restart(name)
        self._bury(home)
        self.disks[home].delete_journal()
        self.wiped.add(home)
        self.rig.counts["journal deleted"] += 1

    def lose(self, home: str, how: str) -> bool:
        """Let a computer's journal get lost as one of ``LOSSES`` says; return whether it did."""
        self._bury(home)
        disk = self.disks[home]
        if how == "deleted":
            disk.delete_journal()
        elif how == "set aside":
            disk.set_journal_aside()
        elif not disk.replace_journal():
            return False
        self.wiped.add(home)
        self.rig.counts[f"journal {how} while it was open"] += 1
        return True

    def spoil(self, home: str, *, cut: bool) -> None:
        """Delete the videos that a computer has kept, or cut each in the middle."""
        self.rig.counts["kept video cut" if cut else "kept video deleted"] += self.disks[home].spoil_videos(
            cut=cut
        )

    def change_purse(self, purse: str, *, restarted: bool = False) -> None:
        """Let somebody else pay at home; what runs there reads it with the next run, or is restarted."""
        if purse == self.purse:
            return
        self.rig.counts[f"paid at home by: {purse}"] += 1
        self.purse = purse
        self.purses.add(purse)
        for name in [name for name in self.processes if restarted and HOME[name] == "home"]:
            self.restart(name)
        self.reread()

    def reread(self) -> None:
        """Let every living process read its settings anew."""
        for process in self.processes.values():
            if not process.dead:
                process.open()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request and write down what a create came to."""
        if request.method != "POST":
            return await self.handler.handle(request)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if "/account/" in request.path:
            return await self.handler.handle(request)
        create = Create(*self._sender(key), request.headers.get("Idempotency-Key"))
        self.creates.append(create)
        if len(self.creates) % ENDLESS == 0:
            self.note("creates are sent without end")
            for process in self._all:
                process.die()
        create_of.set(create)
        response = await self.handler.handle(request)
        transport = request.transport
        if transport is not None and not transport.is_closing():
            create.http = response.status
        return response

    def _sender(self, key: str) -> tuple[str, str]:
        """Who owns what is bought with a key, and on which computer he sits."""
        if self.mode == "own":
            for purse in PURSES.values():
                if key == purse.key:
                    return purse.owner, "home"
        process = next(name for name, known in KEYS.items() if known == key)
        return self.owner(process), HOME[process]

    def go(self, work: Awaitable[Any]) -> Any:
        """Run on the world's loop until done."""
        return self.rig.loop.run_until_complete(awaited(work))

    def do(self, errands: list[Errand], down: float | None = None, loss: Loss | None = None) -> list[Outcome]:
        """Run errands side by side.

        Meanwhile the host may refuse connections for ``down`` seconds, and a journal get lost.
        """
        return list(self.go(self._do(errands, down, loss)))

    async def _do(self, errands: list[Errand], down: float | None, loss: Loss | None) -> list[Outcome]:
        lost = asyncio.ensure_future(self._lost(loss)) if loss is not None else None
        closed = asyncio.ensure_future(self.rig.down(down)) if down is not None else None
        # One turn, so that the port is closed before the first run wants it.
        await asyncio.sleep(0)
        outcomes = await asyncio.gather(*(self._errand(errand) for errand in errands))
        for trouble in (closed, lost):
            if trouble is not None:
                await trouble
        for _ in range(SETTLING):
            await asyncio.sleep(0)
        return outcomes

    async def _lost(self, loss: Loss) -> None:
        await asyncio.sleep(loss.after)
        self.lose(loss.home, loss.how)

    async def _errand(self, errand: Errand) -> Outcome:
        await asyncio.sleep(errand.delay)
        self.rig.counts["takes run"] += 1
        process = self.process(errand.process)
        prompt, _model = TAKES[errand.take]
        number = FORMS[errand.form](errand.take)
        watcher = Watcher(self)
        if self.by_nodes:
            self.rig.counts["takes run by a node"] += 1
            watching.set(watcher)  # of this errand's own task
            node = str(id(watcher)) if errand.place is None else "a list"
            take = take_by_node(errand.take, number, node, errand.place)
        else:
            plan = process.studio.plan(request_of(errand.take), number)
            take = process.studio.take(plan, files=process.studio.files, reporter=watcher)
        outcome = await self._outcome(process, Run(self, take, errand.cut))
        self.told[self.owner(process.name), prompt] += watcher.told
        if outcome.delivered is not None:
            self.price_known.setdefault((HOME[process.name], outcome.delivered.task_id), len(self.creates))
        return outcome

    async def _outcome(self, process: Process, run: Run) -> Outcome:
        token = working_for.set(process)
        task = asyncio.ensure_future(run.run())
        working_for.reset(token)
        process.tasks.add(task)
        try:
            delivered = await task
        except errors.KlingTakesError as error:
            self.rig.counts[f"run ended: {type(error).__name__}"] += 1
            self.read(*texts_of(error))
            return Outcome(error=error)
        except asyncio.CancelledError:
            if run.struck_at is None and not process.dead:
                raise
            how = "cancelled" if run.struck_at is not None else "died with its process"
            self.rig.counts[f"run {how}"] += 1
            return Outcome(cut=True)
        except Killed:
            return Outcome(cut=True)
        finally:
            process.tasks.discard(task)
            late = self.rig.loop.now - (self.rig.loop.now if run.struck_at is None else run.struck_at)
            if late > 1.0:
                self.note(f"a cancel was answered after {late:.0f} s")
        self.rig.counts["run ended: delivered, " + ("collected" if delivered.collected else "paid")] += 1
        return Outcome(delivered=delivered)

    def recover(self, name: str, wanted: str) -> Outcome:
        """Collect a task by an id."""
        process = self.process(name)
        files = self.folder / HOME[name] / "recovered"
        found = process.studio.recover(wanted, product=None, files=files, reporter=Watcher(self))
        outcome: Outcome = self.go(self._outcome(process, Run(self, found, None)))
        return outcome

    def audit(self, name: str) -> Audit:
        """Compare the bill of a process's account with its journal."""
        process = self.process(name)

        async def compared() -> Audit:
            token = working_for.set(process)
            try:
                return await process.studio.audit()
            finally:
                working_for.reset(token)

        audit: Audit = self.go(compared())
        self.read(audit.text())
        return audit

    def sleep(self, seconds: float) -> None:
        """Let true time pass."""
        self.go(asyncio.sleep(seconds))

    def read(self, *texts: str) -> None:
        """Read what somebody is told, and remember where a key is in it."""
        for text in texts:
            if CANARY in text:
                self.note(f"a key was told: {text}")

    def note(self, text: str) -> None:
        """Remember a broken promise that showed in the middle of something."""
        self.notes.append(text)

    def clear_weather(self) -> None:
        """Mend everything that is broken."""
        self.books.faults.clear()
        self.books.lookup_blind_seconds = 0.0
        self.books.concurrency_limit = 50
        self.books.balance_units = 1e9
        self.books.dooms.clear()
        self.books.forgotten.clear()
        self.books.vanished.clear()
        self.books.echo = None
        self.books.links_late_seconds = 0.0
        self.books.refuse_code = None
        self.max_wait, self.limit = "600", ""
        for name in list(self.processes):
            self.restart(name)
        for home, disk in self.disks.items():
            self._bury(home)
            disk.put_journal_back()

    def close(self) -> None:
        """Close every file; hanging answers come to their end."""
        self.handler.closing.set()
        self.sleep(0)
        for process in self._all:
            process.journal.close()
        slots._locks.pop(self.rig.loop, None)
        slots._queues.pop(self.rig.loop, None)
        for learned in (slots._known, studio._slots_asked, account_reads._asked):
            learned.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
