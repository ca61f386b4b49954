"""The server: the application, and a thread that runs it.

`create_app` runs inside a test's own loop; `SimulatorServer` runs the same application in a thread of its
own.
"""

from __future__ import annotations

import asyncio
import threading

from aiohttp import web

from .request_handler import RequestHandler
from .state import State

#: Bytes of a request: two pictures of 50 MB, base64 counted, and some air.
LARGEST_REQUEST = 110_000_000
SHUTDOWN_SECONDS = 0.2


def create_app(state: State) -> web.Application:
    """Return the simulated Kling as an aiohttp application over `state`."""
    app = web.Application(client_max_size=LARGEST_REQUEST)
    handler = RequestHandler(state)
    app.router.add_route("*", "/{path:.*}", handler.handle)

    async def begin_closing(_app: web.Application) -> None:
        handler.closing.set()

    async def close_handler(_app: web.Application) -> None:
        await handler.close()

    app.on_shutdown.append(begin_closing)
    app.on_cleanup.append(close_handler)
    return app


class SimulatorServer:
    """A simulated Kling in a thread of its own; also a context manager.

    `start()` returns when the address is known; `close()` ends every connection, hanging ones too, within a
    second. Raises OSError from `start()` when the port is taken.
    """

    def __init__(self, state: State | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state or State()
        self.host = host
        self.port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The address of the server, known after `start()`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> SimulatorServer:
        """Start the thread and wait until the server listens."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kling-simulator", daemon=True)
            self._thread.start()
            self._ready.wait()
            if self._failure is not None:
                self._thread.join()
                self._thread = None
                raise self._failure
        return self

    def close(self) -> None:
        """Stop listening, end every connection and the thread; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    def __enter__(self) -> SimulatorServer:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that called start()
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            create_app(self.state), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handle_signals=False
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
            self.port = int(runner.addresses[0][1])
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()
