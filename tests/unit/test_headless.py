"""headless.py against a small real server that speaks the few routes of ComfyUI it uses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes import headless

ROOT = Path(headless.__file__).parent
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


@pytest.fixture
def comfy() -> Iterator[FakeComfyUI]:
    with serving(FakeComfyUI()) as fake:
        yield fake


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "GLANCE", 0.001)
    monkeypatch.delenv("COMFY_API_KEY", raising=False)


def run(tmp_path: Path, fake: FakeComfyUI, *args: str, workflow: Any = None) -> int:
    """Run headless.py's command line on a workflow; the files go to `out`."""
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(WORKFLOW if workflow is None else workflow), encoding="utf-8")
    return headless.main([str(file), "--server", fake.url, "--output", str(tmp_path / "out"), *args])


def test_the_output_is_saved_and_its_path_printed(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, comfy) == 0
    saved = tmp_path / "out" / "fox_00001_.mp4"
    assert saved.read_bytes() == VIDEO
    assert capsys.readouterr().out.split() == [str(saved)]
    assert comfy.posted[0]["prompt"] == WORKFLOW
    assert "extra_data" not in comfy.posted[0]


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, comfy: FakeComfyUI) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "fox_00001_.mp4").write_bytes(b"an earlier video")
    assert run(tmp_path, comfy) == 0
    assert (tmp_path / "out" / "fox_00001_.mp4").read_bytes() == b"an earlier video"
    assert (tmp_path / "out" / "fox_00001__2.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("name", ["../../fox.mp4", "..\\..\\fox.mp4", "/srv/fox.mp4", "C:\\fox.mp4"])
def test_a_name_from_the_server_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    assert headless.free_path(tmp_path, name) == tmp_path / "fox.mp4"


@pytest.mark.parametrize("name", ["..", ".", "/", "a/.."])
def test_a_name_that_names_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(headless.Failure, match="not a file name"):
        headless.free_path(tmp_path, name)


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("1.prompt=a red = b", "prompt", "a red = b"),
        ("1.prompt=12", "prompt", "12"),
        ("Kling Text to Video.take=3", "take", 3),
        ("1.cfg_scale=0.7", "cfg_scale", 0.7),
        ("1.mode=pro", "mode", "pro"),
        ("1.loud=True", "loud", True),
    ],
)
def test_an_input_is_set_as_what_it_is(
    tmp_path: Path, comfy: FakeComfyUI, setting: str, name: str, value: Any
) -> None:
    assert run(tmp_path, comfy, "--set", setting) == 0
    found = comfy.posted[0]["prompt"]["1"]["inputs"][name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("prompt=fox", "NODE.INPUT=VALUE"),
        ("1.prompt", "NODE.INPUT=VALUE"),
        ("9.prompt=fox", 'no one node is called 9. The workflow has: Node 1 "Kling Text to Video", Node 2'),
        ("1.promt=fox", "has no input promt. Its inputs: prompt, cfg_scale, mode, take, loud"),
        ("1.take=one", "is a number, and 'one' is not one"),
        ("1.take=1.5", "is a number"),
        ("1.loud=maybe", "true or false"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_refused_before_anything_is_queued(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str], setting: str, says: str
) -> None:
    assert run(tmp_path, comfy, "--set", setting) == 1
    assert says in capsys.readouterr().err
    assert comfy.posted == []


def test_each_refused_input_is_named_with_its_node(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    def error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
        return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name}}

    errors = [
        error("value_not_in_list", "Value not in list", "mode: '8k' not in ['std', 'pro']", "mode"),
        error(
            "custom_validation_failed",
            "Custom validation failed for node",
            "prompt - The prompt is empty. Write what the video shows.",
            "prompt",
        ),
    ]
    comfy.refuse = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"1": {"errors": errors, "class_type": "KlingTakesTextToVideo"}},
    }
    assert run(tmp_path, comfy) == 1
    told = capsys.readouterr().err
    assert "nothing ran" in told
    assert "Node 1 \"Kling Text to Video\", input mode: Value not in list: mode: '8k'" in told
    assert 'Node 1 "Kling Text to Video", input prompt: The prompt is empty. Write what' in told
    assert "Custom validation" not in told


def test_what_comfyui_repeats_for_every_input_is_told_once_for_each_node(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*texts: str) -> dict[str, Any]:
        errors = [
            {
                "type": "custom_validation_failed",
                "message": "Custom validation failed for node",
                "details": f"{name} - {text}",
                "extra_info": {"input_name": name},
            }
            for text in texts
            for name in ("prompt", "mode", "duration")
        ]
        return {"errors": errors, "class_type": "KlingTakesTextToVideo"}

    same = "duration: kling-v2-6 makes 5 or 10 seconds - not 7."
    comfy.refuse = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"1": refused(same), "2": refused(same, "prompt: it is empty.")},
    }
    assert run(tmp_path, comfy) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("Node")] == [
        f'Node 1 "Kling Text to Video": {same}',
        f'Node 2 "Save Video": {same}',
        'Node 2 "Save Video": prompt: it is empty.',
    ]


def test_a_refusal_without_a_node_is_told_too(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.refuse = {"error": {"message": "Prompt has no outputs", "details": ""}, "node_errors": {}}
    assert run(tmp_path, comfy) == 1
    assert "Prompt has no outputs" in capsys.readouterr().err


def test_a_workflow_that_is_accepted_in_part_is_no_success(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.node_errors = {"3": {"errors": [{"type": "x", "message": "Value missing", "details": "video"}]}}
    assert run(tmp_path, comfy) == 1
    assert (tmp_path / "out" / "fox_00001_.mp4").exists()
    assert "Node 3: Value missing: video" in capsys.readouterr().err


def test_a_node_that_failed_is_named_with_its_sentence(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"node_id": "1", "exception_message": "Kling refused the prompt. Nothing was billed.\n"}
    comfy.status = {
        "status_str": "error",
        "messages": [["execution_start", {}], ["execution_error", failure]],
    }
    comfy.outputs = {}
    assert run(tmp_path, comfy) == 1
    told = capsys.readouterr().err
    assert 'Node 1 "Kling Text to Video" failed: Kling refused the prompt. Nothing was billed.\n' in told


@pytest.mark.parametrize("outputs", [{}, {"2": {}}])
def test_an_output_that_did_not_come_is_no_success(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str], outputs: dict[str, Any]
) -> None:
    comfy.outputs = outputs
    assert run(tmp_path, comfy) == 1
    assert 'Node 2 "Save Video" produced no output' in capsys.readouterr().err


def test_a_file_that_can_not_be_fetched_is_no_success(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.view_status = 404
    assert run(tmp_path, comfy) == 1
    assert "fox_00001_.mp4 can't be fetched: /view answered HTTP 404" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_texts_of_a_node_are_shown(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.outputs = {"2": {"text": ["42 units are left"]}}
    assert run(tmp_path, comfy) == 0
    assert '"Save Video" says: 42 units are left' in capsys.readouterr().err


def test_the_place_in_the_queue_is_shown(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.pending = True
    assert run(tmp_path, comfy) == 0
    assert "waiting in the queue, 0 before it" in capsys.readouterr().err


def test_the_comfy_key_goes_to_the_server_and_is_never_shown(
    tmp_path: Path,
    comfy: FakeComfyUI,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COMFY_API_KEY", canary)
    comfy.status = {"messages": [["execution_error", {"node_id": "1", "exception_message": "no"}]]}
    run(tmp_path, comfy)
    assert comfy.posted[0]["extra_data"] == {"api_key_comfy_org": canary}
    told = capsys.readouterr()
    assert canary not in told.out + told.err


def test_a_redirect_is_not_followed(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(FakeComfyUI()) as elsewhere:
        comfy.redirect = f"{elsewhere.url}/object_info"
        assert run(tmp_path, comfy) == 1
        assert elsewhere.posted == []
    assert "HTTP 307" in capsys.readouterr().err


def test_a_run_that_the_server_has_forgotten_is_not_waited_for(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.forget = True
    assert run(tmp_path, comfy, "--timeout", "20") == 1
    assert "no longer knows the run" in capsys.readouterr().err


def test_the_timeout_ends_the_run_on_the_server_and_says_how_to_go_on(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.looks = 10**9
    assert run(tmp_path, comfy, "--timeout", "0.05") == 1
    assert comfy.interrupted == [comfy.posted[0]["prompt_id"]]
    assert "run this again to collect it" in capsys.readouterr().err


def test_a_waiting_run_is_taken_from_the_queue_and_the_running_one_left_alone(
    tmp_path: Path, comfy: FakeComfyUI
) -> None:
    comfy.looks, comfy.pending = 10**9, True
    assert run(tmp_path, comfy, "--timeout", "0.05") == 1
    assert comfy.deleted == [comfy.posted[0]["prompt_id"]]
    assert comfy.interrupted == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no way to send Ctrl-C to one process")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_interrupts_the_run_on_the_server(
    tmp_path: Path, comfy: FakeComfyUI, signal_: signal.Signals
) -> None:
    comfy.looks = 10**9
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(WORKFLOW), encoding="utf-8")
    command = [sys.executable, str(ROOT / "headless.py"), str(file), "--server", comfy.url]
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([*command, "--output", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        deadline = time.monotonic() + 20
        while comfy.seen < 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal_)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert comfy.interrupted == [comfy.posted[0]["prompt_id"]]
    assert "Stopped, here and on the server" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not a JSON file"),
        ('{"nodes": [], "links": []}', "Export (API)"),
        ("{}", "not an API-format workflow"),
        ("[]", "not an API-format workflow"),
        ('{"1": {"inputs": {}}}', "not an API-format workflow"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused_with_the_remedy(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, encoding="utf-8")
    assert headless.main([str(file), "--server", comfy.url]) == 1
    assert says in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert headless.main(["nowhere.json"]) == 1
    assert "nowhere.json can't be read" in capsys.readouterr().err


def test_a_workflow_inside_a_posted_body_is_found(tmp_path: Path, comfy: FakeComfyUI) -> None:
    assert run(tmp_path, comfy, workflow={"prompt": WORKFLOW}) == 0
    assert comfy.posted[0]["prompt"] == WORKFLOW


def test_a_server_that_is_not_there_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    fake = FakeComfyUI(url=f"http://127.0.0.1:{unused_tcp_port}")
    assert run(tmp_path, fake) == 1
    told = capsys.readouterr().err
    assert f"ComfyUI does not answer at {fake.url}" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("url", ["localhost:8188", "ftp://here", "http://"])
def test_an_address_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert run(tmp_path, FakeComfyUI(url=url)) == 1
    assert "is not an address" in capsys.readouterr().err


def test_a_server_that_goes_away_for_a_moment_is_waited_for(
    tmp_path: Path, comfy: FakeComfyUI, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = headless.Server.position, []

    def sometimes(self: Any, prompt_id: str) -> int | None:
        calls.append(1)
        if len(calls) in (1, 2):
            raise headless.Failure("gone")
        return real(self, prompt_id)

    monkeypatch.setattr(headless.Server, "position", sometimes)
    assert run(tmp_path, comfy) == 0
    assert len(calls) > 2


def test_a_server_that_stays_away_ends_the_run(
    tmp_path: Path, comfy: FakeComfyUI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(self: Any, prompt_id: str) -> int | None:
        raise headless.Failure("ComfyUI does not answer")

    monkeypatch.setattr(headless.Server, "position", never)
    monkeypatch.setattr(headless, "OUTAGE", 0.02)
    assert run(tmp_path, comfy) == 1
    assert "ComfyUI does not answer" in capsys.readouterr().err


def test_a_file_that_arrives_cut_off_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class CutsOff(FakeComfyUI):
        async def on_view(self, request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": str(len(VIDEO))})
            await response.prepare(request)
            await response.write(VIDEO[:100])
            assert request.transport is not None
            request.transport.abort()
            return response

    with serving(CutsOff()) as fake:
        assert run(tmp_path, fake) == 1
    assert "fox_00001_.mp4" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
