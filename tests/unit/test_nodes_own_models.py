"""The models that the nodes offer: Kling's, and those of the user's own file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.kling.model_file import load_table
from kling_takes.nodes import host, inputs
from kling_takes.tests.paper_comfyui import FRAME_WORDS, WORDS, Artist, picture


def test_a_model_of_the_users_own_shows_up_without_a_restart(
    artist: Artist, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered() -> list[str]:
        choices = nodes.KlingTextToVideoNode.INPUT_TYPES()["required"]["model_name"][0]
        assert isinstance(choices, list)
        return choices

    assert "kling-v9" not in offered()
    spec = load_table().specs["kling-v3"].model_dump(mode="json", exclude={"name"})
    own = {"models": {"kling-v9": {**spec, "dialects": {"legacy": "kling-v9"}}}}
    host.user_dir().mkdir(parents=True)
    (host.user_dir() / "models.json").write_text(json.dumps(own), encoding="utf-8")
    assert "kling-v9" in offered()


@pytest.fixture
def new_model(artist: Artist, kling: Any) -> str:
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
    host.user_dir().mkdir(parents=True)
    (host.user_dir() / "models.json").write_text(json.dumps({"models": {name: entry}}), "utf-8")
    kling.state.user_models = host.user_dir() / "models.json"
    return name


async def test_a_model_of_the_users_own_makes_videos_like_any_other(
    artist: Artist, kling: Any, new_model: str
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
        "The price of kling-9-flash in this setting is not in the model table." in t for t in artist.texts
    )


async def test_a_model_of_the_new_standard_says_that_a_key_pair_can_not_reach_it(
    artist: Artist, kling: Any, new_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KLING_API_KEY")
    monkeypatch.setenv("KLING_ACCESS_KEY", "access-key-of-the-tests")
    monkeypatch.setenv("KLING_SECRET_KEY", "secret-key-of-the-tests")
    with pytest.raises(errors.InvalidInput, match=r"takes an API key only.*KLING_API_KEY") as caught:
        await nodes.KlingTextToVideoNode().api_call(**{**WORDS, "model_name": new_model, "duration": "4"})
    assert caught.value.widget == "model_name"
    assert not kling.state.requests


def test_the_model_table_is_read_once_while_nothing_changes(artist: Artist) -> None:
    assert inputs.model_table() is inputs.model_table()


def test_living_models_are_offered_before_retired_ones(artist: Artist) -> None:
    table = load_table()
    choices = nodes.KlingTextToVideoNode.INPUT_TYPES()["required"]["model_name"][0]
    living = [table.specs[name].living for name in choices]
    assert living == sorted(living, reverse=True)
    assert living.count(False) > 0
