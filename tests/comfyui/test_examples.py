"""Every example runs as it is: its API form through /prompt, against the simulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "example_workflows" / "api").glob("*.json"))
#: videos that come out; the account example shows text only
VIDEOS = {"account": 0, "prompt_list": 3}
#: seconds: a kind of video that was never made before is first looked for after a quarter of a minute
PATIENCE = 120.0


def load(name: str) -> dict[str, Any]:
    path = next(path for path in EXAMPLES if path.stem == name)
    workflow: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return workflow


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES if path.stem != "recover"])
def test_an_example_delivers_all_its_videos(comfyui: Any, name: str) -> None:
    entry = comfyui.run(load(name), timeout=PATIENCE)
    assert entry["status"]["status_str"] == "success", entry["status"]
    files = [path for path in comfyui.output_files(entry) if path.suffix == ".mp4"]
    assert len(files) == VIDEOS.get(name, 1)
    for file in files:
        with av.open(str(file)) as video:
            assert video.streams.video[0].frames > 0


def test_the_recovery_example_fetches_a_paid_video_by_its_id_without_a_create(comfyui: Any) -> None:
    assert comfyui.run(load("text_to_video"), timeout=PATIENCE)["status"]["status_str"] == "success"
    state = comfyui.simulator.state
    created = state.creates_accepted
    task_id = next(iter(state.tasks))
    workflow = load("recover")
    for node in workflow.values():
        if node["class_type"] == "KlingTakesRecover":
            node["inputs"]["task_id"] = task_id
    entry = comfyui.run(workflow, timeout=PATIENCE)
    assert entry["status"]["status_str"] == "success", entry["status"]
    assert len(comfyui.output_files(entry)) == 1
    assert state.creates_accepted == created
