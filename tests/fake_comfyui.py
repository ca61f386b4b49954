"""A small real server that speaks the few routes of ComfyUI which headless.py uses, and headless.py on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from kling_takes import headless

VIDEO = b"not really a video" * 1000

WORKFLOW: dict[str, Any] = {
    "1": {
        "class_type": "KlingTakesTextToVideo",
        "inputs": {"prompt": "a fox", "cfg_scale": 0.5, "take": 0},
        "_meta": {"title": "Kling Text to Video"},
    },
    "2": {"class_type": "SaveVideo", "inputs": {"video": ["1", 0]}, "_meta": {"title": "Save Video"}},
}
CONTRACTS: dict[str, Any] = {
    "KlingTakesTextToVideo": {
        "output_node": False,
        "input": {
            "required": {"prompt": ["STRING", {}], "cfg_scale": ["FLOAT", {}], "mode": [["std", "pro"], {}]},
            "optional": {"take": ["INT", {}], "loud": ["BOOLEAN", {}]},
        },
    },
    "SaveVideo": {"output_node": True, "input": {"required": {"video": ["VIDEO", {}]}}},
}
DONE: dict[str, Any] = {"status_str": "success", "completed": True, "messages": []}


@dataclass
class FakeComfyUI:
    """What the server does and what it was asked. A prompt is finished after `looks` looks at the queue."""

    looks: int = 2
    refuse: dict[str, Any] | None = None
    node_errors: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(
        default_factory=lambda: {
            "2": {"images": [{"filename": "fox_00001_.mp4", "subfolder": "kling", "type": "output"}]}
        }
    )
    status: dict[str, Any] = field(default_factory=lambda: DONE)
    files: dict[str, bytes] = field(default_factory=lambda: {"fox_00001_.mp4": VIDEO})
    view_status: int = 200
    forget: bool = False
    pending: bool = False
    redirect: str = ""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    seen: int = 0

    def app(self) -> web.Application:
        """Return the server's application."""
        app = web.Application()
        app.router.add_get("/object_info", self.on_info)
        app.router.add_post("/prompt", self.on_prompt)
        app.router.add_get("/queue", self.on_queue)
        app.router.add_post("/queue", self.on_delete)
        app.router.add_post("/interrupt", self.on_interrupt)
        app.router.add_get("/history/{id}", self.on_history)
        app.router.add_get("/view", self.on_view)
        return app

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.seen > self.looks or bool(self.interrupted)

    async def on_info(self, request: web.Request) -> web.Response:
        if self.redirect:
            raise web.HTTPTemporaryRedirect(self.redirect)
        return web.json_response(CONTRACTS)

    async def on_prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.posted.append(body)
        if self.refuse is not None:
            return web.json_response(self.refuse, status=400)
        return web.json_response({"prompt_id": body["prompt_id"], "node_errors": self.node_errors})

    async def on_queue(self, request: web.Request) -> web.Response:
        self.seen += 1
        mine = [] if self.ended or self.forget else [[7, self.posted[-1]["prompt_id"], {}, {}, []]]
        others = [[5, "someone-else", {}, {}, []]]
        running, waiting = (others, mine) if self.pending else (mine, [])
        return web.json_response({"queue_running": running, "queue_pending": waiting})

    async def on_delete(self, request: web.Request) -> web.Response:
        self.deleted += (await request.json())["delete"]
        return web.Response()

    async def on_interrupt(self, request: web.Request) -> web.Response:
        self.interrupted.append((await request.json())["prompt_id"])
        return web.Response()

    async def on_history(self, request: web.Request) -> web.Response:
        if not self.ended or self.forget:
            return web.json_response({})
        entry = {"outputs": self.outputs, "status": self.status}
        return web.json_response({request.match_info["id"]: entry})

    async def on_view(self, request: web.Request) -> web.StreamResponse:
        if self.view_status != 200:
            return web.Response(status=self.view_status)
        return web.Response(body=self.files[request.query["filename"]])


@contextlib.contextmanager
def serving(fake: FakeComfyUI) -> Iterator[FakeComfyUI]:
    """Serve `fake` on a free port from a thread of its own."""
    ready = threading.Event()
    loop: list[asyncio.AbstractEventLoop] = []
    done = asyncio.Event()

    async def live() -> None:
        runner = web.AppRunner(fake.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        loop.append(asyncio.get_running_loop())
        ready.set()
        await done.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(10)
    try:
        yield fake
    finally:
        loop[0].call_soon_threadsafe(done.set)
        thread.join(10)
        assert not thread.is_alive()


def run(tmp_path: Path, fake: FakeComfyUI, *args: str, workflow: Any = None) -> int:
    """Run headless.py's command line on a workflow; the files go to `out`."""
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(WORKFLOW if workflow is None else workflow), encoding="utf-8")
    return headless.main([str(file), "--server", fake.url, "--output", str(tmp_path / "out"), *args])
