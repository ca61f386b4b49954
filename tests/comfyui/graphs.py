"""Small API-format workflows for tests in a real ComfyUI, and what their results say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kling_takes.apis.kling.model_file import BUILT_IN

#: what the text to video node has in its widgets when nothing else is said; 1.5 units, $0.21
WIDGETS: dict[str, Any] = {
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
    "take": 0,
}
PRICE = "$0.21"


def text_to_video(prompt: str, **widgets: Any) -> dict[str, Any]:
    """One text to video node "1", saved by "2"; its Kling id goes to "3" and its duration to "4"."""
    inputs = {"prompt": prompt, **WIDGETS, **widgets}
    return {
        "1": {"class_type": "KlingTakesTextToVideo", "inputs": inputs},
        "2": save("1"),
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["1", 2]}},
    }


def several(*prompts: str, **widgets: Any) -> dict[str, Any]:
    """One text to video node for each prompt, "1", "2", ...; each is saved by a node "s1", "s2", ..."""
    graph: dict[str, Any] = {}
    for number, prompt in enumerate(prompts, start=1):
        inputs = {"prompt": prompt, **WIDGETS, **widgets}
        graph[str(number)] = {"class_type": "KlingTakesTextToVideo", "inputs": inputs}
        graph[f"s{number}"] = save(str(number))
    return graph


def save(node: str) -> dict[str, Any]:
    """A Save Video node behind the first output of `node`."""
    settings = {"filename_prefix": "tests/video", "format": "auto", "codec": "auto"}
    return {"class_type": "SaveVideo", "inputs": {"video": [node, 0], **settings}}


def shown(entry: Mapping[str, Any], node: str) -> str:
    """Return the text that a Preview Any node shows in a finished prompt."""
    (text,) = entry["outputs"][node]["text"]
    return str(text)


def tasks(state: Any, words: str) -> list[Any]:
    """Return the accepted tasks of a simulator whose prompt has `words` in it."""
    return [task for task in list(state.tasks.values()) if words in task.order.words()]


def billed(state: Any, words: str) -> int:
    """Return how many tasks with `words` in their prompt were paid for."""
    return sum(words in task.order.words() for task in state.billed())


def expect_quick_models(system_user_dir: Path) -> Path:
    """Tell the pack that every model takes a second, and return the file that says so.

    The first poll falls due after a share of the expected time; a test can't wait as long as Kling takes.
    """
    models = json.loads(BUILT_IN.read_text(encoding="utf-8"))["models"]
    quick = {"base": 0.5, "per_second": 0.0}
    entries = {name: {"wait": dict.fromkeys(entry["wait"], quick)} for name, entry in models.items()}
    path = system_user_dir / "models.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"models": entries}), encoding="utf-8")
    return path
