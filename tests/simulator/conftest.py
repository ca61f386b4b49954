"""A simulated Kling in the test's own loop, with a clock that only the test moves."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from kling_takes.simulator.server import create_app
from kling_takes.simulator.state import SIMULATOR_KEY, State

START = 1_790_000_000.0
T2V = "/v1/videos/text2video"
I2V = "/v1/videos/image2video"


class Bench:
    """The simulator's address, its state, its clock, and a client that has its key."""

    def __init__(self) -> None:
        self.now = START
        self.state = State(clock=lambda: self.now, render="tiny")
        self.url = ""
        self.session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, path: str, *, key: str | None = SIMULATOR_KEY, **options: Any
    ) -> tuple[int, Any]:
        """Return HTTP status and JSON of one request."""
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {key}"} if key else {})
        async with self.session.request(method, self.url + path, headers=headers, **options) as reply:
            return reply.status, await reply.json()

    async def create(self, path: str = T2V, **body: Any) -> tuple[int, Any]:
        """Create a task; without a body it is a good and cheap one."""
        return await self.ask("POST", path, json={"model_name": "kling-v2-6", "prompt": "a fox"} | body)

    async def made(self, path: str = T2V, **body: Any) -> str:
        """Create a task that must be accepted; return its id."""
        status, answer = await self.create(path, **body)
        assert status == 200, answer
        return str(answer["data"]["task_id"])

    async def task(self, identifier: str, path: str = T2V) -> Any:
        """Return the data of one task."""
        status, answer = await self.ask("GET", f"{path}/{identifier}")
        assert status == 200, answer
        return answer["data"]

    async def finished(self, path: str = T2V, **body: Any) -> Any:
        """Create a task, let it finish, return its data."""
        identifier = await self.made(path, **body)
        self.now += 1000
        return await self.task(identifier, path)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Return a running simulator with a fake clock and tiny videos."""
    bench = Bench()
    runner = web.AppRunner(create_app(bench.state), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    bench.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        bench.session = session
        yield bench
    await runner.cleanup()


def picture(width: int = 400, height: int = 300, colour: Any = "teal", kind: str = "PNG") -> str:
    """Return a picture as base64 text."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(target, kind)
    return base64.b64encode(target.getvalue()).decode()


@pytest.fixture(name="picture")
def picture_maker() -> Any:
    """Return the function that makes a base64 picture: `picture(width, height, colour, kind)`."""
    return picture
