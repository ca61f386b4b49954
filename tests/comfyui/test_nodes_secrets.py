"""ComfyUI records a failed node's inputs; the Comfy.org login must not be among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

TOKEN = "comfy-token-5c1d-do-not-print"
LOGIN = {"auth_token_comfy_org": TOKEN, "api_key_comfy_org": f"{TOKEN}-key"}
WORDS = {
    "prompt": ["1", 0],
    "negative_prompt": "",
    "model_name": "kling-v2-5-turbo",
    "cfg_scale": 0.5,
    "mode": "std",
    "duration": "5",
    "aspect_ratio": "16:9",
}
SAVE = {"filename_prefix": "secrets", "format": "auto", "codec": "auto"}


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("KlingTakesTextToVideo", WORDS),
        ("KlingTakesRecover", {"task_id": ["1", 0], "product": "auto"}),
    ],
)
def test_a_failed_node_leaves_no_comfy_login_in_the_history_or_the_log(
    comfyui: Any, node: str, inputs: dict[str, Any]
) -> None:
    workflow = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": " "}},
        "2": {"class_type": node, "inputs": inputs},
        "3": {"class_type": "SaveVideo", "inputs": {"video": ["2", 0], **SAVE}},
    }
    entry = comfyui.run(workflow, LOGIN)
    assert entry["status"]["status_str"] == "error"
    assert "empty" in json.dumps(entry["status"])
    assert TOKEN not in json.dumps(entry)
    assert TOKEN not in comfyui.logs()
