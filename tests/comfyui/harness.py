"""A real ComfyUI in a test: start it, post prompts to it, kill it, read what it did.

Runs with the interpreter that runs the tests (or `COMFYUI_PYTHON`) and the ComfyUI in `COMFYUI_DIR`, or the
one that `dev.py` has put into `.dev/`.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import requests

from kling_takes.devtools.comfyui import ROOT, ComfyUIProcess

#: seconds between two looks at the history
_GLANCE = 0.05
#: the number in front of a binary websocket message that carries a progress text
_TEXT_MESSAGE = 3


def comfyui_folder() -> Path | None:
    """Return the folder of the ComfyUI to test in, or None when there is none on this machine."""
    for folder in (os.environ.get("COMFYUI_DIR"), ROOT / ".dev" / "comfyui"):
        if folder and (Path(folder) / "main.py").is_file():
            return Path(folder).absolute()
    return None


class PromptRefused(Exception):
    """POST /prompt answered 400; `error` and `node_errors` are as ComfyUI sent them."""

    def __init__(self, reply: dict[str, Any]) -> None:
        super().__init__(json.dumps(reply, ensure_ascii=False)[:2000])
        self.error: dict[str, Any] = reply.get("error") or {}
        self.node_errors: dict[str, Any] = reply.get("node_errors") or {}

    def texts(self, node: str) -> list[str]:
        """Return the texts of all errors of one node: ComfyUI's message and details, joined."""
        errors = self.node_errors.get(node, {}).get("errors", [])
        return [f"{error.get('message')}: {error.get('details')}" for error in errors]


class Events:
    """What the server told a connected browser: `texts` as (node id, text), `messages` as parsed JSON."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.messages: list[dict[str, Any]] = []

    def add(self, message: aiohttp.WSMessage) -> None:
        """File one websocket message."""
        if message.type is aiohttp.WSMsgType.TEXT:
            self.messages.append(json.loads(message.data))
        elif message.type is aiohttp.WSMsgType.BINARY and len(message.data) >= 8:
            kind, length = struct.unpack(">II", message.data[:8])
            if kind == _TEXT_MESSAGE:
                self.texts.append(
                    (message.data[8 : 8 + length].decode(), message.data[8 + length :].decode())
                )

    def texts_of(self, node: str) -> list[str]:
        """Return the progress texts of one node, in order."""
        return [text for id_, text in self.texts if id_ == node]


class ComfyUI:
    """A ComfyUI server over the base directory `base_dir` with this pack as its only custom node."""

    def __init__(self, base_dir: Path, simulator: Any = None) -> None:
        self.base_dir = base_dir
        self.simulator = simulator
        self.user_dir = base_dir / "user"
        #: where the pack keeps its journal and settings
        self.system_user_dir = self.user_dir / "__kling_takes"
        self.output_dir = base_dir / "output"
        self.env: dict[str, str] = {}
        self.args: tuple[str, ...] = ()
        self._server: ComfyUIProcess | None = None

    def start(self, env: Mapping[str, str] | None = None, args: Sequence[str] = ()) -> ComfyUI:
        """Start the server with these environment variables and arguments, and wait until it answers."""
        folder = comfyui_folder()
        assert folder is not None, "no ComfyUI here: run `python3 dev.py test`, or set COMFYUI_DIR"
        self.env, self.args = dict(env or {}), tuple(args)
        python = Path(os.environ.get("COMFYUI_PYTHON") or sys.executable)
        port = self._server.port if self._server else None
        self._server = ComfyUIProcess(python, folder, self.base_dir, env=self.env, args=self.args, port=port)
        self._server.start()
        return self

    def stop(self) -> None:
        """End the server in an orderly way (SIGTERM)."""
        if self._server:
            self._server.child.stop()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL)."""
        assert self._server is not None
        self._server.child.kill()

    def restart(self) -> ComfyUI:
        """Start again as before, at the same address; a server that still runs is stopped first."""
        self.stop()
        return self.start(self.env, self.args)

    @property
    def url(self) -> str:
        """The server's address."""
        assert self._server is not None, "not started"
        return self._server.url

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._server is not None and self._server.child.running

    def logs(self) -> str:
        """Return all that the server printed, over restarts."""
        return self._server.child.log_text() if self._server else ""

    def get(self, path: str, **params: Any) -> Any:
        """GET a JSON answer."""
        reply = requests.get(self.url + path, params=params, timeout=30)
        reply.raise_for_status()
        return reply.json()

    def post_prompt(
        self, workflow: Mapping[str, Any], extra_data: Mapping[str, Any] | None = None, client_id: str = ""
    ) -> str:
        """Queue an API-format workflow and return its prompt id; raises PromptRefused."""
        body: dict[str, Any] = {"prompt": workflow}
        if extra_data:
            body["extra_data"] = dict(extra_data)
        if client_id:
            body["client_id"] = client_id
        reply = requests.post(f"{self.url}/prompt", json=body, timeout=30)
        if reply.status_code == 400:
            raise PromptRefused(reply.json())
        reply.raise_for_status()
        return str(reply.json()["prompt_id"])

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """Return the history entry of a prompt, None while it is not finished."""
        entry: dict[str, Any] | None = self.get(f"/history/{prompt_id}").get(prompt_id)
        return entry

    def wait(self, prompt_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for a prompt to end, well or not, and return its history entry."""
        deadline = time.monotonic() + timeout
        while (entry := self.history(prompt_id)) is None:
            assert self.running, f"ComfyUI ended:\n{self.logs()[-4000:]}"
            assert time.monotonic() < deadline, f"no end after {timeout} s:\n{self.logs()[-4000:]}"
            time.sleep(_GLANCE)
        return entry

    def run(
        self,
        workflow: Mapping[str, Any],
        extra_data: Mapping[str, Any] | None = None,
        timeout: float = 60.0,
    ) -> dict[str, Any]:
        """Queue a workflow and wait for its end."""
        return self.wait(self.post_prompt(workflow, extra_data), timeout)

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Press Cancel: for one prompt, or for whatever runs."""
        body = {"prompt_id": prompt_id} if prompt_id else {}
        requests.post(f"{self.url}/interrupt", json=body, timeout=30).raise_for_status()

    def queue(self) -> dict[str, list[Any]]:
        """Return ComfyUI's queue: `queue_running` and `queue_pending`."""
        answer: dict[str, list[Any]] = self.get("/queue")
        return answer

    def object_info(self, node: str | None = None) -> dict[str, Any]:
        """Return the contract of one node ({} when there is no such node), or of all by id."""
        info: dict[str, Any] = self.get(f"/object_info/{node}" if node else "/object_info")
        return info.get(node, {}) if node else info

    def output_files(self, entry: Mapping[str, Any]) -> list[Path]:
        """Return the paths of all files that a finished prompt put out."""
        folders = {"output": self.output_dir, "temp": self.base_dir / "temp"}
        return [
            folders[item["type"]] / item["subfolder"] / item["filename"]
            for outputs in entry["outputs"].values()
            for items in outputs.values()
            for item in items
            if isinstance(item, dict) and "filename" in item
        ]

    @contextmanager
    def listen(self, client_id: str = "test") -> Iterator[Events]:
        """Connect as a browser does, for the length of the block; the events are complete after it.

        Pass the same `client_id` to `post_prompt` to get the messages that go to one client only.
        """
        events, connected, finished = Events(), threading.Event(), threading.Event()
        problem: list[BaseException] = []

        async def follow() -> None:
            address = f"{self.url}/ws?clientId={client_id}"
            async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
                connected.set()
                while not finished.is_set():
                    try:
                        message = await socket.receive(timeout=0.1)
                    except asyncio.TimeoutError:
                        continue
                    if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                        return
                    events.add(message)

        def work() -> None:
            try:
                asyncio.run(follow())
            except Exception as error:  # noqa: BLE001 - handed to the test's own thread below
                problem.append(error)
                connected.set()

        thread = threading.Thread(target=work, name="comfyui-events")
        thread.start()
        try:
            assert connected.wait(15), "no websocket"
            assert problem == []
            yield events
            time.sleep(0.2)  # what was sent before the end of the block is still on its way
        finally:
            finished.set()
            thread.join(15)


def status_of(entry: Mapping[str, Any]) -> str:
    """Return 'success', 'error' or 'interrupted' for a history entry."""
    kinds = [kind for kind, _ in entry["status"]["messages"]]
    return "interrupted" if "execution_interrupted" in kinds else str(entry["status"]["status_str"])


def error_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the execution error of a history entry: node_id, node_type, exception_message, ..."""
    for kind, detail in entry["status"]["messages"]:
        if kind == "execution_error":
            found: dict[str, Any] = detail
            return found
    raise AssertionError(f"no execution error in {entry['status']}")
