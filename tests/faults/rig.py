"""What all worlds of one test process share: the loop, the port, and the counts of what was broken."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from aiohttp import web

from kling_takes.apis import slots, status, studio
from kling_takes.apis.download import part_file
from kling_takes.apis.journal import file as journal_file
from kling_takes.apis.transport import session
from kling_takes.tests.faults.node_layer import through_nodes
from kling_takes.tests.faults.processes import working_for
from kling_takes.tests.virtual_time import VirtualLoop, no_threads

if TYPE_CHECKING:
    from kling_takes.tests.faults.world import World


class Rig:
    """What all worlds of one process share: the loop, the port, the counts of what was broken."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.counts: Counter[str] = Counter()
        self.world: World | None = None
        self.clients: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.loop.set_task_factory(self._task)
        self._patches = contextlib.ExitStack()
        self._runner = web.AppRunner(self._app(), access_log=None, handle_signals=False)
        self._listening: Any = None
        self.port = 0
        memory = Path("/dev/shm")  # noqa: S108 - a folder in memory, where there is one: fsync is free there
        self.folder = Path(
            tempfile.mkdtemp(prefix="kling-takes-faults-", dir=memory if memory.is_dir() else None)
        )

    def __enter__(self) -> Rig:
        for name in ("take_lock", "slot_queue"):
            self._patches.enter_context(mock.patch.object(studio, name, _own(getattr(slots, name))))
        self._patches.enter_context(no_threads())
        self._patches.enter_context(mock.patch.object(part_file, "_PROCESS", _ProcessName()))
        self._patches.enter_context(through_nodes(self.folder))
        # Nobody watches the seconds count here.
        self._patches.enter_context(mock.patch.object(status, "TICK", 1e6))
        # A commit that is put off never ends within the patience, because this thread is the one to do it.
        self._patches.enter_context(mock.patch.object(journal_file, "CANCEL_PATIENCE", 0.0))
        self.loop.run_until_complete(self._runner.setup())
        self.listen()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listening.close()
        self.loop.run_until_complete(self._runner.cleanup())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self._patches.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def listen(self) -> None:
        """Accept connections."""
        if self._listening is None:
            create = self.loop.create_server(self._runner.server, "127.0.0.1", self.port, reuse_address=True)
            # The server's tasks must not inherit the context of a client that happens to be running.
            self._listening = self.loop.run_until_complete(create)
            self.port = self._listening.sockets[0].getsockname()[1]

    async def down(self, seconds: float) -> None:
        """Refuse connections for so long."""
        self._listening.close()
        self.counts["connections refused for a while"] += 1
        await asyncio.sleep(seconds)
        self._listening = await self.loop.create_server(
            self._runner.server, "127.0.0.1", self.port, reuse_address=True
        )

    def lingering(self) -> Iterator[str]:
        """Name what a finished run has left behind."""
        for task in list(self.clients):
            if not task.done():
                yield f"a task is left: {task.get_coro()}"
        if session._sessions.get(self.loop) is not None:
            yield "a session is left open"
        if any(lock.locked() for lock in slots._locks.get(self.loop, {}).values()):
            yield "a take is left locked"
        if any(queue.waiting for queue in slots._queues.get(self.loop, {}).values()):
            yield "somebody is left standing in the queue"

    @property
    def connections(self) -> int:
        """How many the server still has."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        world = self.world
        assert world is not None
        return await world.answer(request)

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **named)
        process = working_for.get()
        if process is not None:
            self.clients.add(task)
            process.steps.add(task)
        return task


class _ProcessName:
    """Stands for the name of this process in the names of parts: each simulated one has its own."""

    def __format__(self, _spec: str) -> str:
        process = working_for.get()
        return f"{process.name}-{id(process)}" if process is not None else "nobody"


def _own(shared: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Give each simulated process locks and queues of its own, as separate processes have them."""

    def ours(account: str, name: str) -> Any:
        process = working_for.get()
        return shared(f"{id(process)}/{account}", name)

    return ours
