"""Text to video in a real ComfyUI, from POST /prompt to the file on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from kling_takes.devtools.processes import free_port
from kling_takes.tests.comfyui import graphs, harness

CANARY_WRONG = "canary-91c2-not-a-key-kling-knows"


def reason(entry: Any) -> str:
    """The sentence with which a run failed."""
    return str(harness.error_of(entry)["exception_message"])


def wait_for_task(state: Any, words: str, timeout: float = 20.0) -> Any:
    """The task whose prompt has `words`, as soon as the simulator has it."""
    deadline = time.monotonic() + timeout
    while not (found := graphs.tasks(state, words)):
        assert time.monotonic() < deadline, "no task was made"
        time.sleep(0.02)
    return found[0]


# -- success ---------------------------------------------------------------------------------------------


def test_a_prompt_becomes_a_playable_video_of_the_asked_size_length_and_rate(
    comfyui: Any, kling: Any
) -> None:
    kling.render = "full"
    kling.processing_seconds = 1.5
    with comfyui.listen("success") as events:
        prompt_id = comfyui.post_prompt(
            graphs.text_to_video("a heron lands on a mirror lake"), client_id="success"
        )
        entry = comfyui.wait(prompt_id)
    assert harness.status_of(entry) == "success", entry["status"]
    (path,) = [file for file in comfyui.output_files(entry) if file.suffix == ".mp4"]
    with av.open(str(path)) as video:
        (stream,) = video.streams.video
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (1280, 720)
        assert stream.average_rate == Fraction(24)
        assert sum(1 for _ in video.decode(stream)) == 120
    (task,) = graphs.tasks(kling, "a heron lands")
    assert graphs.shown(entry, "3") == task.id
    assert float(graphs.shown(entry, "4")) == 5

    texts = events.texts_of("1")
    assert any(f"Estimated price: 1.5 units ({graphs.PRICE})" in text for text in texts)
    assert any(text.startswith("Sending") and graphs.PRICE in text for text in texts)
    assert any(text.startswith("Kling is making the video") and " s of about " in text for text in texts)
    assert texts[-1].startswith(f"Delivered: 5 s of video, task {task.id}. Kling deducted 1.5 units.")
    assert not any("Simulated" in text for text in texts)
    progress = [message["data"] for message in events.messages if message["type"] == "progress_state"]
    seen = [state["nodes"]["1"]["value"] for state in progress if "1" in state["nodes"]]
    assert seen == sorted(seen)
    assert any(0 < value < 100 for value in seen)


def test_two_nodes_of_a_graph_run_at_the_same_time(comfyui: Any, kling: Any) -> None:
    kling.processing_seconds = 2.5
    begun = time.monotonic()
    entry = comfyui.run(graphs.several("the left half of a duet", "the right half of a duet"))
    took = time.monotonic() - begun
    assert harness.status_of(entry) == "success", entry["status"]
    first, second = graphs.tasks(kling, "half of a duet")
    assert max(first.created_at, second.created_at) < min(first.finished_at, second.finished_at)
    assert took < 2 * 2.5
    assert len([file for file in comfyui.output_files(entry) if file.suffix == ".mp4"]) == 2


# -- failures --------------------------------------------------------------------------------------------


def test_a_task_that_kling_fails_is_said_in_a_sentence_and_not_billed(comfyui: Any, kling: Any) -> None:
    entry = comfyui.run(graphs.text_to_video("a storm in a teacup [fail]"))
    assert harness.status_of(entry) == "error"
    assert harness.error_of(entry)["node_id"] == "1"
    text = reason(entry)
    assert "Failure to pass the risk control system" in text
    assert "A failed task is not billed" in text
    assert graphs.tasks(kling, "a storm in a teacup")[0].id in text
    assert graphs.billed(kling, "a storm in a teacup") == 0


def test_an_empty_account_is_said_and_asked_once(comfyui: Any, kling: Any) -> None:
    kling.refuse_code = 1102
    before = kling.creates_received
    entry = comfyui.run(graphs.text_to_video("a purse without a coin"))
    text = reason(entry)
    assert "no API units left" in text
    assert "Nothing was made and nothing is paid" in text
    assert kling.creates_received == before + 1


def test_a_video_that_breaks_off_on_its_way_is_fetched_to_its_end(comfyui: Any, kling: Any) -> None:
    from kling_takes.simulator.faults import Fault

    kling.faults.append(Fault("download", "wrong_length"))
    entry = comfyui.run(graphs.text_to_video("a parcel with a hole"))
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(graphs.tasks(kling, "a parcel with a hole")) == 1


def test_a_link_that_is_refused_names_the_task_and_leaves_it_to_be_collected(
    comfyui: Any, kling: Any
) -> None:
    from kling_takes.simulator.faults import Fault

    kling.faults.append(Fault("download", "html_403", times=20))
    entry = comfyui.run(graphs.text_to_video("a parcel at the customs"))
    (task,) = graphs.tasks(kling, "a parcel at the customs")
    assert task.id in reason(entry)
    assert "queue the same take again to collect it, nothing is paid again" in reason(entry)
    kling.faults.clear()
    again = comfyui.run(graphs.text_to_video("a parcel at the customs"))
    assert harness.status_of(again) == "success", again["status"]
    assert len(graphs.tasks(kling, "a parcel at the customs")) == 1


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A ComfyUI that was given no key and no address: only what a test writes into the credentials file."""
    server = harness.ComfyUI(tmp_path_factory.mktemp("bare"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def credentials(bare: Any) -> Iterator[Path]:
    """Where the credentials file of `bare` goes; it is read at every run and removed after the test."""
    path: Path = bare.system_user_dir / "credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path
    path.unlink(missing_ok=True)


def test_without_a_key_the_node_says_where_to_put_one(bare: Any, credentials: Path) -> None:
    text = reason(bare.run(graphs.text_to_video("no key at all")))
    assert "KLING_API_KEY" in text
    assert "credentials.json" in text
    assert "Nothing was sent" in text


def test_half_a_key_pair_names_the_missing_half(bare: Any, credentials: Path, simulator: Any) -> None:
    half = {"access_key": "practice-access-key", "api_base": simulator.url}
    credentials.write_text(json.dumps(half), encoding="utf-8")
    text = reason(bare.run(graphs.text_to_video("half a pair")))
    assert "secret_key" in text
    assert "practice-access-key" not in text
    assert list(simulator.state.requests) == []


def test_an_unreadable_credentials_file_is_named(bare: Any, credentials: Path) -> None:
    credentials.write_text('{"api_key": "canary-cut-off', encoding="utf-8")
    text = reason(bare.run(graphs.text_to_video("a torn file")))
    assert "credentials.json" in text
    assert "canary-cut-off" not in text


def test_a_wrong_key_is_said_and_not_shown(bare: Any, credentials: Path, simulator: Any) -> None:
    wrong = {"api_key": CANARY_WRONG, "api_base": simulator.url}
    credentials.write_text(json.dumps(wrong), encoding="utf-8")
    entry = bare.run(graphs.text_to_video("the wrong key"))
    text = reason(entry)
    assert "KLING_API_KEY" in text
    assert simulator.state.creates_received == 1
    assert simulator.state.tasks == {}
    assert CANARY_WRONG not in json.dumps(entry)
    assert CANARY_WRONG not in bare.logs()


def test_an_address_where_nobody_answers_is_tried_again_and_then_said(bare: Any, credentials: Path) -> None:
    nowhere = {"api_key": CANARY_WRONG, "api_base": f"http://127.0.0.1:{free_port()}"}
    credentials.write_text(json.dumps(nowhere), encoding="utf-8")
    with bare.listen() as events:
        text = reason(bare.run(graphs.text_to_video("nobody at home")))
    assert "127.0.0.1" in text
    assert any("can't be reached, trying again" in line for line in events.texts_of("1"))
    assert "KLING_API_BASE" in text
    assert "it is not paid" in text


# -- bad widgets -----------------------------------------------------------------------------------------

BAD_WIDGETS = {
    "an empty prompt": ("prompt", {"prompt": ""}),
    "a prompt of blanks": ("prompt", {"prompt": " \n "}),
    "a prompt that is too long": ("prompt", {"prompt": "x" * 2501}),
    "a negative prompt that is too long": ("negative_prompt", {"negative_prompt": "x" * 2501}),
    "cfg_scale above 1": ("cfg_scale", {"cfg_scale": 1.01}),
    "cfg_scale below 0": ("cfg_scale", {"cfg_scale": -0.01}),
    "an unknown model": ("model_name", {"model_name": "kling-v9"}),
    "a length the model does not make": ("duration", {"duration": "7"}),
    "a mode the model does not have": ("mode", {"mode": "4k"}),
    "a shape the model does not make": ("aspect_ratio", {"aspect_ratio": "21:9"}),
    "sound on a model without it": ("sound", {"sound": "on"}),
    "a negative take": ("take", {"take": -1}),
}


@pytest.mark.parametrize("case", BAD_WIDGETS)
def test_bad_input_is_refused_by_the_name_of_its_widget_and_sends_nothing(
    comfyui: Any, kling: Any, case: str
) -> None:
    widget, change = BAD_WIDGETS[case]
    before = len(kling.requests)
    workflow = graphs.text_to_video("something bad")
    workflow["1"]["inputs"].update(change)
    with pytest.raises(harness.PromptRefused) as caught:
        comfyui.post_prompt(workflow)
    assert any(widget in text for text in caught.value.texts("1")), caught.value.node_errors
    assert len(kling.requests) == before


@pytest.mark.parametrize(
    ("widget", "value"), [("prompt", ""), ("prompt", "y" * 2501), ("negative_prompt", "y" * 2501)]
)
def test_a_bad_value_that_comes_over_a_link_is_refused_in_the_node_and_sends_nothing(
    comfyui: Any, kling: Any, widget: str, value: str
) -> None:
    before = len(kling.requests)
    workflow = graphs.text_to_video("something linked")
    workflow["1"]["inputs"][widget] = ["9", 0]
    workflow["9"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": value}}
    entry = comfyui.run(workflow)
    assert reason(entry).startswith(f"{widget}:")
    assert harness.error_of(entry)["node_id"] == "1"
    assert len(kling.requests) == before


# -- cancel ----------------------------------------------------------------------------------------------


def test_cancel_while_kling_works_ends_the_node_within_a_second_and_loses_nothing(
    comfyui: Any, kling: Any
) -> None:
    kling.processing_seconds = 600.0
    prompt_id = comfyui.post_prompt(graphs.text_to_video("a very slow snail"))
    task = wait_for_task(kling, "a very slow snail")
    time.sleep(0.5)
    begun = time.monotonic()
    comfyui.interrupt(prompt_id)
    entry = comfyui.wait(prompt_id)
    assert time.monotonic() - begun < 1.0
    assert harness.status_of(entry) == "interrupted"

    task.due_at = time.time()
    creates = kling.creates_received
    again = comfyui.run(graphs.text_to_video("a very slow snail"))
    assert harness.status_of(again) == "success", again["status"]
    assert graphs.shown(again, "3") == task.id
    assert kling.creates_received == creates


# -- old ids, practice -----------------------------------------------------------------------------------


def test_practice_and_the_old_ids_work_where_core_switches_its_own_nodes_off(tmp_path: Path) -> None:
    server = harness.ComfyUI(tmp_path / "practice")
    graphs.expect_quick_models(server.system_user_dir)
    old = {name: value for name, value in graphs.WIDGETS.items() if name != "take"}
    workflow = {
        "1": {"class_type": "KlingTextToVideoNode", "inputs": {"prompt": "an old graph", **old}},
        "2": graphs.save("1"),
        "3": {
            "class_type": "EmptyImage",
            "inputs": {"width": 400, "height": 400, "batch_size": 1, "color": 255},
        },
        "4": {
            "class_type": "KlingImage2VideoNode",
            "inputs": {"prompt": "an old picture", **old, "start_frame": ["3", 0]},
        },
        "5": graphs.save("4"),
        **_renamed(graphs.text_to_video("practice makes perfect"), "n"),
    }
    try:
        server.start({"KLING_BACKEND": "simulator"}, ["--disable-api-nodes"])
        with server.listen() as events:
            entry = server.run(workflow, timeout=90)
        assert harness.status_of(entry) == "success", entry["status"]
        videos = [file for file in server.output_files(entry) if file.suffix == ".mp4"]
        assert len(videos) == 3
        for node in ("1", "4", "n1"):
            texts = events.texts_of(node)
            assert texts
            assert all(text.startswith("Simulated · ") for text in texts)
            assert "Delivered" in texts[-1]
        # What was practised is no purchase: the record of real ones stays untouched.
        assert not (server.system_user_dir / "journal.sqlite3").exists()
    finally:
        server.stop()


def _renamed(workflow: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same workflow under other node ids."""

    def moved(value: Any) -> Any:
        return [prefix + value[0], value[1]] if isinstance(value, list) else value

    return {
        prefix + key: {**node, "inputs": {name: moved(value) for name, value in node["inputs"].items()}}
        for key, node in workflow.items()
    }


# -- the key ---------------------------------------------------------------------------------------------


def files_with(folder: Path, needle: bytes) -> list[Path]:
    """All files below `folder` that contain `needle`."""
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_the_key_is_in_no_answer_log_or_file(comfyui: Any, kling: Any, canary: str) -> None:
    good = comfyui.run(graphs.text_to_video("a secret garden"))
    bad = comfyui.run(graphs.text_to_video("a secret storm [fail]"))
    assert (harness.status_of(good), harness.status_of(bad)) == ("success", "error")
    assert graphs.billed(kling, "a secret garden") == 1, "the key was used"

    for path in ("/history", "/object_info", "/queue", "/settings", "/system_stats"):
        assert canary not in json.dumps(comfyui.get(path)), path
    assert canary not in comfyui.logs()
    # Base64 and the like would slip through; what a program writes by mistake is the text itself.
    for name in ("user", "output", "temp", "input"):
        assert files_with(comfyui.base_dir / name, canary.encode()) == []
    # The search can find something: the prompt stands in the saved video and in no record of ours.
    assert files_with(comfyui.output_dir, b"a secret garden")
    assert files_with(comfyui.system_user_dir, b"a secret garden") == []
