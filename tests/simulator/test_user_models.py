"""A model that the judge does not know: its entry in the user's models.json is all there is to go by."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from kling_takes.simulator import in_process as built_in
from kling_takes.simulator.offer import Offer

LEGACY, STANDARD = "/v1/videos/text2video", "/text-to-video/kling-9"
CAN: dict[str, Any] = {
    "text2video": [{"modes": ["pro"]}],
    "image2video": [],
    "sound": [{"modes": ["pro"], "dialects": ["legacy"]}],
}
ENTRY: dict[str, Any] = {
    "dialects": {"legacy": "kling-v9", "standard": "kling-9"},
    "modes": ["std", "pro"],
    "durations": [4, 20],
    "aspect_ratios": ["21:9", "16:9"],
    "prompt_characters": {"legacy": {"text2video": 10}},
    "standard_settings": ["resolution", "duration", "aspect_ratio"],
    "prices": [
        {"mode": "pro", "sound": "off", "units_per_second": 9.0, "reference_video": True},
        {"mode": "pro", "sound": "off", "units_per_second": 0.5},
        {"mode": "pro", "sound": "on", "units_per_second": 0.75},
    ],
}


def write(folder: Path, entry: dict[str, Any], key: str = "kling-nine") -> Path:
    file = folder / "models.json"
    file.write_text(json.dumps({"models": {key: entry}}), "utf-8")
    return file


@pytest.fixture(params=["flat", "nested"])
def served(request, bench, tmp_path) -> None:
    """Give the simulator a user's file in each form that such a file may have."""
    entry = ENTRY | (CAN if request.param == "flat" else {"capabilities": CAN})
    bench.state.user_models = write(tmp_path, entry)


async def legacy(bench, **fields: Any) -> tuple[int, Any]:
    body = {"model_name": "kling-v9", "mode": "pro", "duration": "4"} | fields
    return await bench.create(LEGACY, **body)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({}, 2.0),
        ({"duration": "20"}, 10.0),
        ({"sound": "on"}, 3.0),
        ({"aspect_ratio": "21:9", "prompt": "x" * 10}, 2.0),
    ],
)
async def test_what_the_entry_allows_is_made_at_the_entry_s_price(bench, fields, units):
    status, answer = await legacy(bench, **fields)
    assert (status, answer["message"]) == (200, "SUCCEED")
    (task,) = bench.state.tasks.values()
    assert task.price_units == units


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "std"}, "mode value 'std' is invalid"),
        ({"mode": "4k"}, "mode value '4k' is invalid"),
        ({"duration": "5"}, "duration value '5' is invalid"),
        ({"aspect_ratio": "1:1"}, "aspect_ratio value '1:1' is invalid"),
        ({"prompt": "x" * 11}, "prompt length cannot exceed 10"),
        ({"multi_shot": True}, "multi_shot is not supported"),
        ({"model_name": "kling-v8"}, "model_name value 'kling-v8' is invalid"),
    ],
)
async def test_what_the_entry_does_not_allow_is_refused_as_kling_would(bench, fields, words):
    status, answer = await legacy(bench, **fields)
    assert (status, answer["code"]) == (400, 1201)
    assert words in answer["message"]


@pytest.mark.usefixtures("served")
async def test_a_product_that_the_entry_does_not_have_is_not_supported(bench, picture):
    path = "/v1/videos/image2video"
    _, answer = await bench.create(path, model_name="kling-v9", image=picture())
    assert answer["message"] == "model is not supported"


@pytest.mark.usefixtures("served")
async def test_the_new_standard_goes_by_the_same_entry_and_by_its_own_conditions(bench):
    settings = {"resolution": "1080p", "duration": 20, "aspect_ratio": "21:9"}
    status, _ = await bench.ask("POST", STANDARD, json={"prompt": "a fox", "settings": settings})
    assert status == 200
    (task,) = bench.state.tasks.values()
    assert (task.price_units, task.order.aspect_ratio) == (10.0, "21:9")
    for wrong in ({"resolution": "720p"}, {"audio": "native"}, {"duration": 5}):
        body = {"prompt": "a fox", "settings": settings | wrong}
        assert (await bench.ask("POST", STANDARD, json=body))[0] == 400


async def test_a_video_from_a_picture_has_no_shape_to_choose_whatever_the_entry_lists(
    bench, tmp_path, picture
):
    bench.state.user_models = write(tmp_path, ENTRY | {"image2video": [{}]})
    contents = [{"type": "prompt", "text": "a fox"}, {"type": "first_frame", "url": picture()}]
    body = {"contents": contents, "settings": {"duration": 4, "aspect_ratio": "21:9"}}
    _, answer = await bench.ask("POST", "/image-to-video/kling-9", json=body)
    assert answer["message"] == "settings.aspect_ratio is not supported by the current model"
    del body["settings"]["aspect_ratio"]
    assert (await bench.ask("POST", "/image-to-video/kling-9", json=body))[0] == 200


@pytest.mark.usefixtures("served")
async def test_the_log_says_by_what_such_a_model_is_judged(bench, caplog):
    caplog.set_level(logging.INFO, "kling_takes.simulator")
    assert (await bench.create())[0] == 200
    assert caplog.messages == []
    await legacy(bench)
    (said,) = caplog.messages
    assert "no rules of its own for kling-v9" in said
    assert "models.json" in said


@pytest.mark.usefixtures("served")
async def test_the_file_is_read_as_it_is_now(bench):
    assert (await legacy(bench))[0] == 200
    bench.state.user_models.unlink()
    assert (await legacy(bench))[1]["message"] == "model_name value 'kling-v9' is invalid"


async def test_of_a_model_that_it_knows_the_judge_keeps_its_own_opinion(bench, tmp_path):
    entry = ENTRY | CAN | {"dialects": {"legacy": "kling-v2-6"}}
    bench.state.user_models = write(tmp_path, entry, "kling-v2-6")
    assert (await bench.create(duration="20"))[0] == 400
    assert (await bench.finished(duration="10"))["final_unit_deduction"] == "3"


async def test_an_entry_leaves_to_the_built_in_one_what_it_does_not_name(bench, tmp_path):
    entry = {"dialects": {"legacy": "kling-v3-turbo", "standard": "kling-3.0-turbo"}}
    bench.state.user_models = write(tmp_path, entry, "kling-3.0-turbo")
    data = await bench.finished(model_name="kling-v3-turbo", duration="3")
    assert data["final_unit_deduction"] == "2.4"


def test_conditions_and_limits_of_an_entry_become_those_of_the_model(tmp_path):
    conditions = {
        "image2video": [{}],
        "end_frame": [{"modes": ["pro"], "durations": [20], "sound": "off"}],
        "end_frame_only": [{"products": ["text2video"]}],
        "camera_field": [{"durations": [4], "camera_types": ["simple"]}],
        "voice": [{}],
        "shots": [{"dialects": ["standard"]}],
        "sound": [{}],
    }
    file = write(tmp_path, ENTRY | conditions | {"sound_always": True, "retired_on": "2026-11-01"})
    model = Offer(user_models=file).user_model("image2video", "legacy", "kling-v9")
    assert model is not None
    assert model.tails == {("pro", 20)}
    assert (model.tail_alone, model.tail_with_sound) == (False, False)
    assert model.camera == {("image2video", "std", 4), ("image2video", "pro", 4)}
    assert model.camera_simple_only
    assert model.voices
    assert not model.shots
    assert model.sound_always
    assert model.retired


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": []}', '{"models": {"kling-nine": 5}}'])
async def test_a_file_that_cannot_be_understood_has_no_models(bench, tmp_path, content):
    bench.state.user_models = tmp_path / "models.json"
    bench.state.user_models.write_text(content, "utf-8")
    assert (await legacy(bench))[1]["code"] == 1201


def test_the_simulator_inside_comfyui_reads_the_file_in_the_user_s_folder(tmp_path):
    try:
        built_in.url(tmp_path / "models.json")
        (server,) = built_in._running
        assert server.state.user_models == tmp_path / "models.json"
    finally:
        built_in.close()
