"""How a run of headless.py goes and ends: files, failures, Ctrl-C, a server that is away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes import headless
from kling_takes.tests.fake_comfyui import VIDEO, WORKFLOW, FakeComfyUI, run, serving

ROOT = Path(headless.__file__).parent

pytestmark = pytest.mark.usefixtures("hurried")


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


def test_a_server_that_is_not_there_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    fake = FakeComfyUI(url=f"http://127.0.0.1:{unused_tcp_port}")
    assert run(tmp_path, fake) == 1
    told = capsys.readouterr().err
    assert f"ComfyUI does not answer at {fake.url}" in told
    assert "Traceback" not in told


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
