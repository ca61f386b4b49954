"""The nodes against the simulator, with a stand-in for what ComfyUI does around them."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kling_takes import nodes
from kling_takes.apis import errors, journal
from kling_takes.apis.kling.models import ModelTable
from kling_takes.apis.studio import Policy, Studio
from kling_takes.nodes import base, host, studio
from kling_takes.nodes import simulator as built_in
from kling_takes.nodes.aliases import KlingImage2VideoNode as OldImageToVideo
from kling_takes.nodes.base import ABSENT

IDS = nodes.NODE_CLASS_MAPPINGS
NEW_IDS = list(nodes.NODE_DISPLAY_NAME_MAPPINGS)
OLD_IDS = [name for name in IDS if name not in NEW_IDS]
WORDS = {
    "prompt": "a red kite",
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
}
FRAME_WORDS = {name: value for name, value in WORDS.items() if name != "aspect_ratio"}


class Interrupted(Exception):
    """Stands for ComfyUI's own."""


class Stage:
    """What ComfyUI would see: texts and progress of nodes, and the Cancel button."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts: list[str] = []
        self.progress: list[float] = []
        self.cancelled = False
        self.index = 0


class Frames:
    """An IMAGE: just enough of a tensor."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels

    def cpu(self) -> Frames:
        return self

    def numpy(self) -> Any:
        return self.pixels


def picture(batch: int = 1, height: int = 320, width: int = 400) -> Frames:
    ramp = np.linspace(0, 1, batch * height * width * 3, dtype=np.float32)
    return Frames(ramp.reshape(batch, height, width, 3))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ComfyUI made of paper around the nodes; no key and no address are set."""
    stage = Stage(tmp_path)
    for name in ("API_KEY", "ACCESS_KEY", "SECRET_KEY", "API_BASE", "REGION", "BACKEND", "MAX_USD_PER_DAY"):
        monkeypatch.delenv(f"KLING_{name}", raising=False)
    (tmp_path / "temp").mkdir()
    impatient = functools.partial(Studio, policy=Policy(poll_floor=0.01, poll_ceiling=0.02))
    monkeypatch.setattr(studio, "Studio", impatient)
    monkeypatch.setattr(host, "user_dir", lambda: tmp_path / "user")
    monkeypatch.setattr(host, "temp_dir", lambda: tmp_path / "temp")
    monkeypatch.setattr(host, "comfy_api_base", lambda: "https://api.comfy.org")
    monkeypatch.setattr(host, "executing", lambda: ("prompt", "7", stage.index))
    monkeypatch.setattr(host, "interrupted", lambda: stage.cancelled)
    monkeypatch.setattr(host, "interrupt_exception", Interrupted)
    monkeypatch.setattr(host, "send_text", lambda text, node_id: stage.texts.append(text))
    monkeypatch.setattr(host, "send_progress", lambda fraction, node_id: stage.progress.append(fraction))
    monkeypatch.setattr(host, "video_from_file", lambda path: path)
    yield stage
    journal.close_journals()
    host.NodeReporter.boards.clear()


@pytest.fixture
def kling(stage: Stage, simulator: Any, canary: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The simulator as the API, with a key that works."""
    simulator.state.api_keys[canary] = "tests"
    monkeypatch.setenv("KLING_API_BASE", simulator.url)
    monkeypatch.setenv("KLING_API_KEY", canary)
    return simulator


async def test_text_to_video_gives_a_file_its_id_and_its_length(stage: Stage, kling: Any) -> None:
    path, task_id, duration = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert path.is_file()
    assert path.parent == stage.folder / "temp"
    assert task_id in kling.state.tasks
    assert float(duration) > 0


async def test_the_price_is_on_the_node_before_and_the_deducted_units_after(stage: Stage, kling: Any) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    sent = next(i for i, text in enumerate(stage.texts) if "Sending" in text)
    assert "1.5 units ($0.21)" in stage.texts[sent]
    assert "Kling deducted 1.5 units" in stage.texts[-1]


async def test_the_same_take_again_is_collected_and_the_node_says_so(stage: Stage, kling: Any) -> None:
    first = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    again = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert again[1] == first[1]
    assert kling.state.creates_accepted == 1
    assert "Collected, nothing paid" in stage.texts[-1]


async def test_another_take_number_is_another_video(stage: Stage, kling: Any) -> None:
    first = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    second = await nodes.KlingTextToVideoNode().api_call(**WORDS, take=1)
    assert second[1] != first[1]
    assert kling.state.creates_accepted == 2


async def test_image_to_video_sends_the_start_frame_and_says_which_of_a_batch(
    stage: Stage, kling: Any
) -> None:
    await nodes.KlingImage2VideoNode().api_call(start_frame=picture(batch=3), **FRAME_WORDS)
    assert "first" in stage.texts[-1]
    (task,) = kling.state.tasks.values()
    assert task.product == "image2video"


async def test_start_and_end_frame_are_different_pictures_of_one_take(stage: Stage, kling: Any) -> None:
    values = {**FRAME_WORDS, "mode": "pro"}
    await nodes.KlingStartEndFrameNode().api_call(
        start_frame=picture(), end_frame=picture(height=330), **values
    )
    (task,) = kling.state.tasks.values()
    assert {"image", "image_tail"} <= set(task.body)


async def test_a_camera_move_goes_into_the_prompt_of_a_living_model_and_the_node_says_so(
    stage: Stage, kling: Any
) -> None:
    move = nodes.KlingCameraControls().make("simple", **axes(zoom=5.0))[0]
    values = {name: WORDS[name] for name in ("prompt", "negative_prompt", "cfg_scale", "aspect_ratio")}
    await nodes.KlingCameraControlT2VNode().api_call(camera_control=move, **values)
    (task,) = kling.state.tasks.values()
    assert task.body["prompt"].startswith("a red kite. The camera")
    assert "camera_control" not in task.body
    assert "camera" in stage.texts[-1]


async def test_an_image_node_with_a_camera_move_needs_no_model_of_its_own(stage: Stage, kling: Any) -> None:
    move = nodes.KlingCameraControls().make("forward_up", **axes())[0]
    values = {name: WORDS[name] for name in ("prompt", "negative_prompt", "cfg_scale")}
    await nodes.KlingCameraControlI2VNode().api_call(start_frame=picture(), camera_control=move, **values)
    (task,) = kling.state.tasks.values()
    assert task.body["model_name"] == "kling-v2-5-turbo"


async def test_shots_are_chained_and_make_one_video(stage: Stage, kling: Any) -> None:
    shots = nodes.KlingTakesShot().make("a door", 3)[0]
    more = nodes.KlingTakesShot().make("a window", 2, shots)[0]
    assert len(shots) == 1
    values = {**WORDS, "prompt": "", "model_name": "kling-v3", "duration": "5"}
    await nodes.KlingTextToVideoNode().api_call(**values, shots=more)
    (task,) = kling.state.tasks.values()
    assert [shot["prompt"] for shot in task.body["multi_prompt"]] == ["a door", "a window"]


@pytest.mark.parametrize(
    ("change", "widget"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 2501}, "prompt"),
        ({"negative_prompt": "x" * 2501}, "negative_prompt"),
        ({"cfg_scale": 1.01}, "cfg_scale"),
        ({"model_name": "kling-v9"}, "model_name"),
        ({"duration": "7"}, "duration"),
        ({"duration": "long"}, "duration"),
        ({"mode": "4k"}, "mode"),
        ({"mode": "fast"}, "mode"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio"),
        ({"sound": "on"}, "sound"),
    ],
)
async def test_what_a_model_can_not_do_is_refused_twice_and_nothing_is_sent(
    stage: Stage, kling: Any, change: dict[str, Any], widget: str
) -> None:
    values = {**WORDS, **change}
    verdict = nodes.KlingTextToVideoNode.VALIDATE_INPUTS(**values)
    assert verdict is not True
    assert widget in str(verdict)
    with pytest.raises(errors.InvalidInput) as caught:
        await nodes.KlingTextToVideoNode().api_call(**values)
    assert caught.value.widget == widget
    assert widget in str(caught.value)
    assert not kling.state.requests


@pytest.mark.parametrize("size", [(299, 400), (1000, 300)])
async def test_a_picture_that_kling_does_not_take_is_refused_by_the_name_of_its_input(
    stage: Stage, kling: Any, size: tuple[int, int]
) -> None:
    with pytest.raises(errors.InvalidInput, match="start_frame: ") as caught:
        await nodes.KlingImage2VideoNode().api_call(start_frame=picture(1, *size), **FRAME_WORDS)
    assert caught.value.widget == "start_frame"
    assert not kling.state.requests


def test_linked_values_are_left_for_later_and_linked_shots_stand_for_the_prompt(stage: Stage) -> None:
    check = nodes.KlingTextToVideoNode.VALIDATE_INPUTS
    assert check(**{**WORDS, "prompt": None}) is True
    assert check(**{**WORDS, "prompt": "", "model_name": "kling-v3", "shots": None}) is True
    assert check(**{**WORDS, "prompt": "", "model_name": "kling-v3", "shots": ABSENT}) is not True
    assert check() is True


def test_an_end_frame_in_mode_std_is_refused_before_anything_runs(stage: Stage) -> None:
    check = nodes.KlingStartEndFrameNode.VALIDATE_INPUTS
    assert str(check(**FRAME_WORDS)).startswith("mode: ")
    assert check(**{**FRAME_WORDS, "mode": "pro"}) is True


async def test_without_a_key_the_node_says_where_to_put_one(stage: Stage) -> None:
    with pytest.raises(errors.CredentialsError, match="KLING_API_KEY"):
        await nodes.KlingTextToVideoNode().api_call(**WORDS)


async def test_a_key_and_an_address_set_later_need_no_restart(
    stage: Stage, simulator: Any, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.CredentialsError):
        await nodes.KlingTextToVideoNode().api_call(**WORDS)
    simulator.state.api_keys[canary] = "tests"
    monkeypatch.setenv("KLING_API_BASE", simulator.url)
    monkeypatch.setenv("KLING_API_KEY", canary)
    await nodes.KlingTextToVideoNode().api_call(**WORDS)


async def test_the_key_is_in_no_text_and_in_no_file(stage: Stage, kling: Any, canary: str) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    journal.close_journals()
    assert canary not in "\n".join(stage.texts)
    for file in stage.folder.rglob("*"):
        assert not file.is_file() or canary.encode() not in file.read_bytes(), file


async def test_practice_is_marked_in_every_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLING_BACKEND", "simulator")
    try:
        work = asyncio.ensure_future(nodes.KlingTextToVideoNode().api_call(**WORDS))
        await asyncio.wait({work}, timeout=0.7)
        stage.cancelled = True
        with pytest.raises(Interrupted):
            await work
    finally:
        built_in.close()
    assert stage.texts
    assert all(text.startswith("Simulated · ") for text in stage.texts[1:])


async def test_cancel_is_answered_within_a_second_and_the_task_is_collected_later(
    stage: Stage, kling: Any
) -> None:
    kling.state.processing_seconds = 60.0
    work = asyncio.ensure_future(nodes.KlingTextToVideoNode().api_call(**WORDS))
    await asyncio.sleep(0.3)
    assert kling.state.tasks
    stage.cancelled = True
    started = asyncio.get_running_loop().time()
    with pytest.raises(Interrupted):
        await work
    assert asyncio.get_running_loop().time() - started < 1.0
    stage.cancelled = False
    kling.state.clock = lambda: time.time() + 120.0
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert kling.state.creates_accepted == 1
    assert "Collected, nothing paid" in stage.texts[-1]


async def test_work_that_is_slow_to_give_up_does_not_keep_the_user_waiting(stage: Stage) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(3)

    work = asyncio.ensure_future(host.until_interrupted(stubborn()))
    await asyncio.sleep(0)
    stage.cancelled = True
    started = asyncio.get_running_loop().time()
    with pytest.raises(Interrupted):
        await work
    assert asyncio.get_running_loop().time() - started < 1.0
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        await asyncio.wait({task})


async def test_a_prompt_cancelled_before_the_node_starts_runs_nothing(stage: Stage) -> None:
    ran = []

    async def work() -> None:
        ran.append(1)

    stage.cancelled = True
    with pytest.raises(Interrupted):
        await host.until_interrupted(work())
    assert not ran


async def test_when_another_node_fails_the_cancellation_passes_through(stage: Stage) -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(1)

    task = asyncio.ensure_future(host.until_interrupted(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]


async def test_items_of_a_list_show_their_lines_below_each_other(stage: Stage) -> None:
    with host.NodeReporter("7") as first:
        stage.index = 1
        with host.NodeReporter("7") as second:
            first.fact("a price")
            first.say("one")
            second.state("two", 5.0, 10.0)
            assert stage.texts[-1] == "one\ntwo · 5 s of about 10 s"
    assert not host.NodeReporter.boards


def axes(**set_to: float) -> dict[str, float]:
    names = ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")
    return {name: set_to.get(name, 0.0) for name in names}


@pytest.mark.parametrize(
    ("kind", "movements"),
    [
        ("simple", axes()),
        ("simple", axes(pan=1.0, zoom=-1.0)),
        ("simple", axes(pan=10.01)),
        ("simple", axes(horizontal_movement=-10.01)),
        ("sideways", axes(pan=1.0)),
        ("forward_up", axes(pan=1.0)),
    ],
)
def test_a_camera_move_that_kling_does_not_know_is_refused(
    stage: Stage, kind: str, movements: dict[str, float]
) -> None:
    assert nodes.KlingCameraControls.VALIDATE_INPUTS(kind, **movements) is not True
    with pytest.raises(errors.InvalidInput):
        nodes.KlingCameraControls().make(kind, **movements)


@pytest.mark.parametrize("value", [-10.0, 0.25, 10.0])
def test_one_axis_inside_the_limits_makes_a_simple_move(stage: Stage, value: float) -> None:
    assert nodes.KlingCameraControls.VALIDATE_INPUTS("simple", **axes(tilt=value)) is True
    (move,) = nodes.KlingCameraControls().make("simple", **axes(tilt=value))
    assert move.config is not None
    assert move.config.tilt == value


def test_a_ready_made_move_carries_no_numbers(stage: Stage) -> None:
    (move,) = nodes.KlingCameraControls().make("down_back", **axes())
    assert move.config is None


def test_a_seventh_shot_is_refused(stage: Stage) -> None:
    shots: Any = None
    for _ in range(6):
        (shots,) = nodes.KlingTakesShot().make("a door", 1, shots)
    with pytest.raises(errors.InvalidInput, match="at most 6"):
        nodes.KlingTakesShot().make("a door", 1, shots)


def test_each_line_of_a_prompt_list_is_a_prompt(stage: Stage) -> None:
    assert nodes.KlingTakesPromptList().make("  a kite \n\n a boat\r\n") == (["a kite", "a boat"],)
    assert nodes.KlingTakesPromptList.VALIDATE_INPUTS(prompts=" \n ") is not True
    with pytest.raises(errors.InvalidInput):
        nodes.KlingTakesPromptList().make(" \n ")


async def test_a_video_is_recovered_by_either_id_without_a_create(stage: Stage, kling: Any) -> None:
    _, task_id, duration = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    external = kling.state.tasks[task_id].external_task_id
    for wanted in (task_id, external):
        found = await nodes.KlingTakesRecover().api_call(task_id=f" {wanted} ", product="auto")
        assert found[1:4] == (task_id, external, duration)
    assert kling.state.creates_accepted == 1


@pytest.mark.parametrize("wanted", ["", "a/b", "x" * 129, "https://kling.ai/task"])
def test_what_is_no_id_is_refused_before_anything_runs(stage: Stage, wanted: str) -> None:
    assert "task_id" in str(nodes.KlingTakesRecover.VALIDATE_INPUTS(task_id=wanted))


async def test_the_account_is_told_as_text_and_as_json(stage: Stage, kling: Any) -> None:
    answer = await nodes.KlingTakesAccount().api_call(unique_id="7")
    text, data = answer["result"]
    assert text == stage.texts[-1]
    assert "packs" in json.loads(data)


def test_a_model_of_the_users_own_shows_up_without_a_restart(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered() -> list[str]:
        choices = nodes.KlingTextToVideoNode.INPUT_TYPES()["required"]["model_name"][0]
        assert isinstance(choices, list)
        return choices

    assert "kling-v9" not in offered()
    spec = ModelTable.load().specs["kling-v3"].model_dump(mode="json", exclude={"name"})
    own = {"models": {"kling-v9": {**spec, "dialects": {"legacy": "kling-v9"}}}}
    (stage.folder / "user").mkdir()
    (stage.folder / "user" / "models.json").write_text(json.dumps(own), encoding="utf-8")
    assert "kling-v9" in offered()


@pytest.fixture
def new_model(stage: Stage, kling: Any) -> str:
    """A model that only the user's file knows, and that Kling serves through the new standard alone."""
    name = "kling-9-flash"
    entry = {
        "title": "Kling 9 Flash",
        "dialects": {"standard": name},
        "preferred": "standard",
        "modes": ["std"],
        "durations": [4, 20],
        "aspect_ratios": ["16:9"],
        "text2video": [{}],
        "image2video": [{}],
        "prompt_characters": {"standard": {"text2video": 2500, "image2video": 2500}},
        "standard_settings": ["resolution", "duration", "aspect_ratio"],
        "wait": {"std": {"base": 10, "per_second": 1}},
        "source": "the maker's announcement",
        "as_of": "2026-11-20",
    }
    (stage.folder / "user").mkdir()
    (stage.folder / "user" / "models.json").write_text(json.dumps({"models": {name: entry}}), "utf-8")
    kling.state.user_models = stage.folder / "user" / "models.json"
    return name


async def test_a_model_of_the_users_own_makes_videos_like_any_other(
    stage: Stage, kling: Any, new_model: str
) -> None:
    widgets = {**WORDS, "model_name": new_model, "duration": "20"}
    offered = nodes.KlingTextToVideoNode.INPUT_TYPES()["required"]
    assert new_model in offered["model_name"][0]
    assert "20" in offered["duration"][0]
    assert nodes.KlingTextToVideoNode.VALIDATE_INPUTS(**widgets) is True
    refused = str(nodes.KlingTextToVideoNode.VALIDATE_INPUTS(**{**widgets, "duration": "5"}))
    assert "duration: kling-9-flash makes 4 or 20 seconds, not 5." in refused

    first = await nodes.KlingTextToVideoNode().api_call(**widgets)
    again = await nodes.KlingTextToVideoNode().api_call(**widgets)
    pictured = {**FRAME_WORDS, "model_name": new_model, "duration": "4"}
    second = await nodes.KlingImage2VideoNode().api_call(start_frame=picture(), **pictured)
    found = await nodes.KlingTakesRecover().api_call(task_id=second[1], product="auto")

    assert again[1] == first[1]
    assert found[1] == second[1]
    paths = [record.path for record in kling.state.requests if record.method == "POST"]
    assert paths == [f"/text-to-video/{new_model}", f"/image-to-video/{new_model}"]
    bodies = [task.body["settings"] for task in kling.state.tasks.values()]
    assert bodies[0] == {"resolution": "720p", "duration": 20, "aspect_ratio": "16:9"}
    assert bodies[1] == {"resolution": "720p", "duration": 4}
    assert any(
        "The price of kling-9-flash in this setting is not in the model table." in t for t in stage.texts
    )


async def test_a_model_of_the_new_standard_says_that_a_key_pair_can_not_reach_it(
    stage: Stage, kling: Any, new_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KLING_API_KEY")
    monkeypatch.setenv("KLING_ACCESS_KEY", "access-key-of-the-tests")
    monkeypatch.setenv("KLING_SECRET_KEY", "secret-key-of-the-tests")
    with pytest.raises(errors.CredentialsError, match=r"takes an API key only.*KLING_API_KEY"):
        await nodes.KlingTextToVideoNode().api_call(**{**WORDS, "model_name": new_model, "duration": "4"})
    assert not kling.state.requests


def test_the_model_table_is_read_once_while_nothing_changes(stage: Stage) -> None:
    assert base.model_table() is base.model_table()


@pytest.mark.parametrize("name", IDS)
def test_no_node_has_a_widget_that_draws_a_number_by_itself(stage: Stage, name: str) -> None:
    inputs = IDS[name].INPUT_TYPES()
    for group in ("required", "optional"):
        for widget, entry in inputs.get(group, {}).items():
            assert widget not in ("seed", "noise_seed")
            assert "control_after_generate" not in (entry[1] if len(entry) > 1 else {})


@pytest.mark.parametrize("name", IDS)
def test_every_input_and_output_is_explained(stage: Stage, name: str) -> None:
    node = IDS[name]
    inputs = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for widget, entry in inputs.get(group, {}).items():
            assert entry[1]["tooltip"].endswith("."), (name, widget)
    assert node.DESCRIPTION
    assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_TYPES) == len(node.RETURN_NAMES)


@pytest.mark.parametrize("name", IDS)
def test_no_node_asks_for_a_comfy_login_or_runs_anew_by_itself(stage: Stage, name: str) -> None:
    node = IDS[name]
    assert not hasattr(node, "API_NODE")
    changed = getattr(node, "IS_CHANGED", None)
    assert changed is None or changed() == changed()


@pytest.mark.parametrize("name", [name for name in NEW_IDS if name != "KlingTakesAccount"])
def test_only_the_free_question_about_the_account_is_asked_anew(name: str) -> None:
    assert not hasattr(IDS[name], "IS_CHANGED")


def test_old_ids_are_deprecated_and_rename_nothing() -> None:
    assert len(OLD_IDS) == 6
    for name in OLD_IDS:
        assert IDS[name].DEPRECATED is True
        assert name not in nodes.NODE_DISPLAY_NAME_MAPPINGS
    assert not any(getattr(IDS[name], "DEPRECATED", False) for name in NEW_IDS)


def test_an_old_image_node_keeps_its_widgets_in_their_places(stage: Stage) -> None:
    required = list(OldImageToVideo.INPUT_TYPES()["required"])
    assert required == [
        "start_frame",
        "prompt",
        "negative_prompt",
        "model_name",
        "cfg_scale",
        "mode",
        "aspect_ratio",
        "duration",
    ]


async def test_an_old_image_node_runs_and_does_not_send_the_shape(stage: Stage, kling: Any) -> None:
    await OldImageToVideo().api_call(start_frame=picture(), **WORDS)
    (task,) = kling.state.tasks.values()
    assert "aspect_ratio" not in task.body


def test_living_models_are_offered_before_retired_ones(stage: Stage) -> None:
    table = ModelTable.load()
    choices = nodes.KlingTextToVideoNode.INPUT_TYPES()["required"]["model_name"][0]
    living = [table.specs[name].living for name in choices]
    assert living == sorted(living, reverse=True)
    assert living.count(False) > 0


def test_text_to_video_has_the_inputs_of_old_in_their_order_then_the_take(stage: Stage) -> None:
    inputs = nodes.KlingTextToVideoNode.INPUT_TYPES()
    assert list(inputs["required"]) == list(WORDS)
    assert next(iter(inputs["optional"])) == "take"
    assert inputs["hidden"] == {
        "auth_token": "AUTH_TOKEN_COMFY_ORG",
        "comfy_api_key": "API_KEY_COMFY_ORG",
        "unique_id": "UNIQUE_ID",
    }
    assert nodes.KlingTextToVideoNode.FUNCTION == "api_call"


def test_the_bar_does_not_swallow_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """ComfyUI's progress hook takes the flag down and raises; it has to be up again afterwards."""
    flag: list[bool] = []

    class Bar:
        def __init__(self, total: int, node_id: str) -> None:
            pass

        def update_absolute(self, value: int) -> None:
            raise Interrupted

    modules = {
        "comfy": SimpleNamespace(),
        "comfy.utils": SimpleNamespace(ProgressBar=Bar),
        "comfy.model_management": SimpleNamespace(
            InterruptProcessingException=Interrupted,
            interrupt_current_processing=flag.append,
            processing_interrupted=lambda: False,
        ),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    host.send_progress(0.5, "7")
    assert flag == [True]
