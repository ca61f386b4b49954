"""The nodes that buy and collect, against the simulator, in a ComfyUI of paper."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import account_reads, errors, journal
from kling_takes.nodes import host
from kling_takes.nodes.aliases import OLD_NODES
from kling_takes.simulator import account
from kling_takes.simulator import in_process as built_in
from kling_takes.tests.paper_comfyui import FRAME_WORDS, WORDS, Artist, Interrupted, axes, picture


async def test_text_to_video_gives_a_file_its_id_and_its_length(artist: Artist, kling: Any) -> None:
    path, task_id, duration = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert path.is_file()
    assert path.parent == host.user_dir() / "takes"
    assert task_id in kling.state.tasks
    assert float(duration) > 0


async def test_the_price_is_on_the_node_before_and_the_deducted_units_after(
    artist: Artist, kling: Any
) -> None:
    await nodes.KlingTextToVideoNode().api_call(**WORDS)
    sent = next(i for i, text in enumerate(artist.texts) if "Sending" in text)
    assert "1.5 units ($0.21)" in artist.texts[sent]
    assert "Kling deducted 1.5 units" in artist.texts[-1]


async def test_the_same_take_again_is_collected_and_the_node_says_so(artist: Artist, kling: Any) -> None:
    first = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    again = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    assert again[1] == first[1]
    assert kling.state.creates_accepted == 1
    assert "Collected, nothing paid" in artist.texts[-1]


async def test_another_take_number_is_another_video(artist: Artist, kling: Any) -> None:
    first = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    second = await nodes.KlingTextToVideoNode().api_call(**WORDS, take=1)
    assert second[1] != first[1]
    assert kling.state.creates_accepted == 2


async def test_image_to_video_sends_the_start_frame_and_says_which_of_a_batch(
    artist: Artist, kling: Any
) -> None:
    await nodes.KlingImage2VideoNode().api_call(start_frame=picture(batch=3), **FRAME_WORDS)
    assert "first" in artist.texts[-1]
    (task,) = kling.state.tasks.values()
    assert task.product == "image2video"


async def test_start_and_end_frame_are_different_pictures_of_one_take(artist: Artist, kling: Any) -> None:
    values = {**FRAME_WORDS, "mode": "pro"}
    await nodes.KlingStartEndFrameNode().api_call(
        start_frame=picture(), end_frame=picture(height=330), **values
    )
    (task,) = kling.state.tasks.values()
    assert {"image", "image_tail"} <= set(task.body)


async def test_a_camera_move_goes_into_the_prompt_of_a_living_model_and_the_node_says_so(
    artist: Artist, kling: Any
) -> None:
    move = nodes.KlingCameraControls().make("simple", **axes(zoom=5.0))[0]
    values = {name: WORDS[name] for name in ("prompt", "negative_prompt", "cfg_scale", "aspect_ratio")}
    await nodes.KlingCameraControlT2VNode().api_call(camera_control=move, **values)
    (task,) = kling.state.tasks.values()
    assert task.body["prompt"].startswith("a red kite. The camera")
    assert "camera_control" not in task.body
    assert "camera" in artist.texts[-1]


async def test_an_image_node_with_a_camera_move_needs_no_model_of_its_own(artist: Artist, kling: Any) -> None:
    move = nodes.KlingCameraControls().make("forward_up", **axes())[0]
    values = {name: WORDS[name] for name in ("prompt", "negative_prompt", "cfg_scale")}
    await nodes.KlingCameraControlI2VNode().api_call(start_frame=picture(), camera_control=move, **values)
    (task,) = kling.state.tasks.values()
    assert task.body["model_name"] == "kling-v2-5-turbo"


async def test_shots_are_chained_and_make_one_video(artist: Artist, kling: Any) -> None:
    shots = nodes.KlingTakesShot().make("a door", 3)[0]
    more = nodes.KlingTakesShot().make("a window", 2, shots)[0]
    assert len(shots) == 1
    values = {**WORDS, "prompt": "", "model_name": "kling-v3", "duration": "5"}
    await nodes.KlingTextToVideoNode().api_call(**values, shots=more)
    (task,) = kling.state.tasks.values()
    assert [shot["prompt"] for shot in task.body["multi_prompt"]] == ["a door", "a window"]


async def test_without_a_key_the_node_says_where_to_put_one(artist: Artist) -> None:
    with pytest.raises(errors.CredentialsError, match="KLING_API_KEY"):
        await nodes.KlingTextToVideoNode().api_call(**WORDS)


async def test_a_key_and_an_address_set_later_need_no_restart(
    artist: Artist, simulator: Any, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.CredentialsError):
        await nodes.KlingTextToVideoNode().api_call(**WORDS)
    simulator.state.api_keys[canary] = "tests"
    monkeypatch.setenv("KLING_API_BASE", simulator.url)
    monkeypatch.setenv("KLING_API_KEY", canary)
    await nodes.KlingTextToVideoNode().api_call(**WORDS)


async def test_the_key_is_in_no_text_and_in_no_file(
    artist: Artist, kling: Any, canary: str, tmp_path: Path
) -> None:
    _, task_id, _ = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    journal.close_journals()
    written = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert any(task_id.encode() in content for content in written.values()), "the search finds what is there"
    assert canary not in "\n".join(artist.texts)
    assert [file for file, content in written.items() if canary.encode() in content] == []


async def test_practice_is_marked_in_every_line(artist: Artist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLING_BACKEND", "simulator")
    try:
        work = asyncio.ensure_future(nodes.KlingTextToVideoNode().api_call(**WORDS))
        await asyncio.wait({work}, timeout=0.7)
        artist.cancelled = True
        with pytest.raises(Interrupted):
            await work
    finally:
        built_in.close()
    assert artist.texts
    assert all(text.startswith("Simulated · ") for text in artist.texts[1:])


async def test_a_video_is_recovered_by_either_id_without_a_create(artist: Artist, kling: Any) -> None:
    _, task_id, duration = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    external = kling.state.tasks[task_id].external_task_id
    for wanted in (task_id, external):
        found = await nodes.KlingTakesRecover().api_call(task_id=f" {wanted} ", product="auto")
        assert found[1:4] == (task_id, external, duration)
    assert kling.state.creates_accepted == 1


async def test_the_account_is_told_as_text_and_as_json_and_checked_against_its_bill(
    artist: Artist, kling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of the time between two questions.
    monkeypatch.setattr(account_reads, "ACCOUNT_PAUSE", 0.11)
    monkeypatch.setattr(account, "SECONDS_BETWEEN_CALLS", 0.05)
    bought = await nodes.KlingTextToVideoNode().api_call(**WORDS)
    stranger = kling.state.seed_task("text2video", account=kling.state.tasks[bought[1]].account)
    answer = await nodes.KlingTakesAccount().api_call(unique_id="7")
    text, data, audit = answer["result"]
    assert answer["ui"]["text"] == [text, audit]
    assert artist.texts[-1] == f"{text}\n\n{audit}"
    assert "packs" in json.loads(data)
    assert "2 tasks billed" in audit
    assert stranger.id in audit
    assert bought[1] not in audit, "what agrees is counted"


async def test_practice_is_marked_once_in_what_the_account_shows(
    artist: Artist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLING_BACKEND", "simulator")
    monkeypatch.setattr(account_reads, "ACCOUNT_PAUSE", 0.11)
    monkeypatch.setattr(account, "SECONDS_BETWEEN_CALLS", 0.05)
    try:
        answer = await nodes.KlingTakesAccount().api_call(unique_id="7")
    finally:
        built_in.close()
    assert [text.count("Simulated") for text in (artist.texts[-1], *answer["ui"]["text"])] == [1, 1, 1]


async def test_an_old_image_node_runs_and_does_not_send_the_shape(artist: Artist, kling: Any) -> None:
    await OLD_NODES["KlingImage2VideoNode"]().api_call(start_frame=picture(), **WORDS)
    (task,) = kling.state.tasks.values()
    assert "aspect_ratio" not in task.body
