"""The server as a program: a thread of its own, a quick end, videos beside the loop, the command line."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import aiohttp
import av
import pytest
import requests
from aiohttp import web

from kling_takes.simulator import SimulatorServer, State, create_app
from kling_takes.simulator.__main__ import arguments, main, state_for
from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import SIMULATOR_KEY

T2V = "/v1/videos/text2video"
BODY = {"model_name": "kling-v2-6", "prompt": "a fox"}
HEADERS = {"Authorization": f"Bearer {SIMULATOR_KEY}"}
ROOT = Path(__file__).resolve().parents[2]


def post(url: str, **body):
    return requests.post(url + T2V, json=BODY | body, headers=HEADERS, timeout=10).json()


def look(url: str, identifier: str):
    return requests.get(f"{url}{T2V}/{identifier}", headers=HEADERS, timeout=10).json()["data"]


def wait_for(url: str, identifier: str, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = look(url, identifier)
        if data["task_status"] in ("succeed", "failed"):
            return data
        time.sleep(0.05)
    raise AssertionError(f"still {data['task_status']} after {seconds} s")


def test_a_server_starts_on_a_free_port_and_ends_without_a_thread():
    before = set(threading.enumerate())  # another test of this process may have a server of its own
    with SimulatorServer(State(render="tiny")) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
        assert post(server.url)["code"] == 0
        mine = set(threading.enumerate()) - before
        assert [thread for thread in mine if thread.name == "kling-simulator"]
    assert not [thread for thread in mine if thread.is_alive()]
    server.close()


def test_a_taken_port_is_an_error_of_start():
    with SimulatorServer(State(render="tiny")) as server, pytest.raises(OSError, match=r"."):
        SimulatorServer(State(), port=server.port).start()


async def test_close_ends_hanging_answers_and_unread_downloads_within_a_second():
    state = State(render="tiny", submitted_seconds=0, processing_seconds=0, processing_per_second=0)
    server = SimulatorServer(state).start()
    state.faults += [Fault("create", "hang", seconds=600), Fault("list", "hang", seconds=600)]
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        pending = [
            asyncio.ensure_future(session.post(server.url + T2V, json=BODY)),
            asyncio.ensure_future(session.get(server.url + T2V)),
        ]
        for _ in range(400):
            if not state.faults:
                break
            await asyncio.sleep(0.005)
        begun = time.monotonic()
        await asyncio.to_thread(server.close)
        assert time.monotonic() - begun < 1.0
        for reply in await asyncio.gather(*pending, return_exceptions=True):
            if isinstance(reply, aiohttp.ClientResponse):
                reply.close()


async def test_an_application_in_a_test_s_loop_ends_hanging_answers_without_its_runner_s_patience():
    state = State(render="tiny", faults=[Fault("create", "hang", seconds=600)])
    runner = web.AppRunner(create_app(state), access_log=None, shutdown_timeout=60)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        pending = asyncio.ensure_future(session.post(url + T2V, json=BODY))
        while not state.creates_accepted:  # noqa: ASYNC110 - the simulator has no event for a test to wait on
            await asyncio.sleep(0.005)
        begun = time.monotonic()
        await runner.cleanup()
        assert time.monotonic() - begun < 1.0
        (await pending).close()


def test_a_drawing_does_not_hold_up_polls_and_goes_with_the_server():
    state = State(submitted_seconds=0, processing_seconds=0, processing_per_second=0)
    with SimulatorServer(state) as server:
        identifier = post(server.url, model_name="kling-v3", mode="4k", duration="15")["data"]["task_id"]
        waits = []
        for _ in range(10):
            begun = time.monotonic()
            assert look(server.url, identifier)["task_status"] == "processing"
            waits.append(time.monotonic() - begun)
        assert sorted(waits)[5] < 0.2
        assert state.billed() == []
        begun = time.monotonic()
    assert time.monotonic() - begun < 1.5
    assert state.tasks[identifier].rendering is False


def test_a_finished_video_is_real_and_an_equal_order_shares_it(tmp_path):
    state = State(submitted_seconds=0, processing_seconds=0, processing_per_second=0, cache_dir=tmp_path)
    with SimulatorServer(state) as server:
        data = wait_for(server.url, post(server.url)["data"]["task_id"])
        content = requests.get(data["task_result"]["videos"][0]["url"], timeout=10).content
        begun = time.monotonic()
        wait_for(server.url, post(server.url)["data"]["task_id"])
        assert time.monotonic() - begun < 0.5
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == content
    with av.open(str(kept)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (1280, 720, 120)


def test_a_temporary_folder_goes_with_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    state = State(submitted_seconds=0, processing_seconds=0, processing_per_second=0)
    with SimulatorServer(state) as server:
        post(server.url)
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_drawing_that_goes_wrong_is_a_failed_task_not_a_hanging_one(monkeypatch, caplog):
    def broken(*_args):
        raise RuntimeError("no paint")

    monkeypatch.setattr("kling_takes.simulator.video.make", broken)
    state = State(submitted_seconds=0, processing_seconds=0, processing_per_second=0)
    with SimulatorServer(state) as server:
        data = wait_for(server.url, post(server.url)["data"]["task_id"])
    assert data["task_status"] == "failed"
    assert "no paint" in data["task_status_msg"]
    assert state.billed() == []
    assert "could not draw" in caplog.text


async def test_a_whole_take_costs_a_few_milliseconds(bench):
    await bench.finished()
    before = threading.active_count()
    begun = time.perf_counter()
    for _ in range(20):
        data = await bench.finished()
        async with bench.session.get(data["task_result"]["videos"][0]["url"]) as reply:
            await reply.read()
    assert (time.perf_counter() - begun) / 20 < 0.1
    assert threading.active_count() == before


def test_the_books_forget_the_pictures(picture):
    state = State(render="tiny")
    with SimulatorServer(state) as server:
        body = BODY | {"image": picture()}
        requests.post(f"{server.url}/v1/videos/image2video", json=body, headers=HEADERS, timeout=10)
    (task,) = state.tasks.values()
    assert task.order.start is None


def test_the_options_make_the_state():
    state = state_for(arguments(["--speed", "2", "--concurrency", "3", "--balance", "9", "--tiny"]))
    assert (state.submitted_seconds, state.processing_seconds, state.processing_per_second) == (0.5, 1.5, 0.3)
    assert (state.concurrency_limit, state.balance_units, state.render) == (3, 9.0, "tiny")
    assert state_for(arguments(["--retired-models"])).retired_models


@pytest.mark.parametrize("argv", [["--speed", "0"], ["--concurrency", "0"], ["--port", "x"]])
def test_a_wrong_option_is_named(argv, capsys):
    with pytest.raises(SystemExit):
        arguments(argv)
    assert argv[0] in capsys.readouterr().err


def test_a_taken_port_is_said_in_a_sentence(capsys):
    with SimulatorServer(State(render="tiny")) as server:
        assert main(["--port", str(server.port)]) == 1
    assert "another --port" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run itself")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_use_it_and_ends_cleanly(number):
    command = [sys.executable, "-W", "error", "-m", "simulator", "--port", "0", "--tiny"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        lines = [child.stdout.readline() for _ in range(7)]
        said = "".join(lines)
        url = re.search(r"http://127\.0\.0\.1:\d+", said).group()
        assert f"KLING_API_BASE={url}" in said
        assert f"KLING_API_KEY={SIMULATOR_KEY}" in said
        assert "KLING_SECRET_KEY=" in said
        assert post(url)["code"] == 0
        child.send_signal(number)
        rest, errors = child.communicate(timeout=10)
    assert child.returncode == 0
    assert "1 tasks" in rest
    assert errors == ""
