"""Every example runs in a real ComfyUI through headless.py, and both of its forms are one workflow."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from kling_takes.devtools.comfyui import ROOT
from kling_takes.tests.comfyui import graphs

EXAMPLES = sorted((ROOT / "example_workflows" / "api").glob("*.json"))
#: how many videos each example saves
VIDEOS = {
    "account": 0,
    "camera_control_image": 1,
    "camera_control_text": 1,
    "image_to_video": 1,
    "multi_shot": 1,
    "prompt_list": 3,
    "recover": 1,
    "start_end_frame": 1,
    "text_to_video": 1,
    "three_shots_joined": 1,
}
#: examples whose videos are drawn in full and looked at; the others take a small one, which is faster
DRAWN = ("image_to_video", "multi_shot", "start_end_frame")
#: types of inputs that are widgets
PRIMITIVES = ("STRING", "INT", "FLOAT", "BOOLEAN")
_HALVES = (slice(100, 400), slice(-400, -100))


def names(path: Path) -> str:
    return path.stem


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def headless(server: Any, workflow: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run headless.py as a user does."""
    command = [sys.executable, str(ROOT / "headless.py"), str(workflow), "--server", server.url]
    return subprocess.run(
        [*command, "--output", str(output), "--timeout", "120", *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
        timeout=150,
    )


def test_the_list_of_examples_is_complete() -> None:
    assert set(VIDEOS) == {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_an_example_runs_and_every_output_arrives(
    comfyui: Any, kling: Any, canary: str, tmp_path: Path, path: Path
) -> None:
    kling.render = "full" if path.stem in DRAWN else "tiny"
    options = []
    if path.stem == "recover":  # an example can't know the id of anybody's task
        task = kling.seed_task("text2video", account=kling.api_keys[canary])
        options = ["--set", f"1.task_id={task.id}"]
    before = len(kling.billed())
    done = headless(comfyui, path, tmp_path, *options)
    assert done.returncode == 0, done.stderr
    printed = [Path(line) for line in done.stdout.splitlines()]
    assert len([file for file in printed if file.suffix == ".mp4"]) == VIDEOS[path.stem]
    assert all(file.stat().st_size > 1000 for file in printed)
    workflow = read(path)
    buying = [node for node in workflow.values() if "negative_prompt" in node["inputs"]]
    bought = 3 if path.stem == "prompt_list" else len(buying)
    assert len(kling.billed()) - before == bought
    if path.stem == "account":
        assert "Checked against Kling's bill since" in done.stderr
    if path.stem in DRAWN:
        (file,) = printed
        with av.open(str(file)) as video:
            assert video.duration is not None
            assert abs(video.duration / av.time_base - float(buying[0]["inputs"]["duration"])) < 0.1
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        picture, last = frames[0], frames[-1]
        mode = buying[0]["inputs"]["mode"]
        assert picture.shape[0] == (1080 if mode == "pro" else 720)
    if path.stem in ("image_to_video", "start_end_frame"):
        # The video begins with the picture of the example: its first half is orange, its second one blue.
        left, right = (picture[300:420, columns].mean(axis=(0, 1)) for columns in _HALVES)
        assert left[0] > left[2] + 60
        assert right[2] > right[0] + 30
    if path.stem == "start_end_frame":
        # And it ends in the second one: first half dark green, second half pale yellow.
        left, right = (last[300:420, columns].mean(axis=(0, 1)) for columns in _HALVES)
        assert left[0] + 15 < left[1] < 120
        assert min(right[0], right[1]) > right[2] + 40
    if path.stem == "multi_shot":
        # Each of its three shots (3, 3 and 2 seconds) is a scene of its own.
        scenes = [frames[int(second * 24)].astype(float) for second in (1.5, 4.5, 7.0)]
        assert all(abs(one - two).mean() > 10 for one, two in itertools.pairwise(scenes))


def test_headless_says_by_node_and_input_what_is_refused_and_ends_with_1(
    comfyui: Any, kling: Any, tmp_path: Path
) -> None:
    before = len(kling.requests)
    path = ROOT / "example_workflows" / "api" / "text_to_video.json"
    done = headless(comfyui, path, tmp_path, "--set", "1.model_name=kling-v9", "--set", "1.take=5")
    assert done.returncode == 1
    assert 'Node 1 "Kling Text to Video"' in done.stderr
    assert done.stderr.count("model_name: there is no model kling-v9") == 1
    assert done.stdout == ""
    assert len(kling.requests) == before


def test_headless_tells_why_a_run_failed_and_ends_with_1(comfyui: Any, kling: Any, tmp_path: Path) -> None:
    path = ROOT / "example_workflows" / "api" / "text_to_video.json"
    done = headless(comfyui, path, tmp_path, "--set", "1.prompt=headless and hopeless [fail]")
    assert done.returncode == 1
    assert "A failed task is not billed" in done.stderr
    assert graphs.billed(kling, "headless and hopeless") == 0


# -- the editor's form -----------------------------------------------------------------------------------


def widgets_of(info: dict[str, Any]) -> list[str]:
    """The names of a node's widgets in the order in which the editor saves their values."""
    entries = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    return [
        name
        for name, (kind, *options) in entries.items()
        if (isinstance(kind, list) or kind in (*PRIMITIVES, "COMBO"))
        and not (options and options[0].get("forceInput"))
    ]


def as_api(ui: dict[str, Any], contracts: dict[str, Any]) -> dict[str, Any]:
    """The API form of a workflow saved by the editor: class and inputs of each node."""
    origin = {link[0]: [str(link[1]), link[2]] for link in ui["links"]}
    found: dict[str, Any] = {}
    for node in ui["nodes"]:
        if node["type"] in ("Note", "MarkdownNote"):
            continue
        values = node.get("widgets_values") or []
        inputs = dict(zip(widgets_of(contracts[node["type"]]), values, strict=False))
        inputs |= {slot["name"]: origin[slot["link"]] for slot in node["inputs"] if slot["link"] is not None}
        found[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_the_editors_form_of_an_example_says_the_same(comfyui: Any, path: Path) -> None:
    contracts = comfyui.object_info()
    expected = {
        key: {"class_type": node["class_type"], "inputs": node["inputs"]} for key, node in read(path).items()
    }
    assert as_api(read(path.parents[1] / path.name), contracts) == expected
