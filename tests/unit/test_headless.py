"""What headless.py asks of a ComfyUI, and what it refuses before anything is queued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kling_takes import headless
from kling_takes.tests.fake_comfyui import WORKFLOW, FakeComfyUI, run, serving

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("1.prompt=a red = b", "prompt", "a red = b"),
        ("1.prompt=12", "prompt", "12"),
        ("Kling Text to Video.take=3", "take", 3),
        ("1.cfg_scale=0.7", "cfg_scale", 0.7),
        ("1.mode=pro", "mode", "pro"),
        ("1.loud=True", "loud", True),
    ],
)
def test_an_input_is_set_as_what_it_is(
    tmp_path: Path, comfy: FakeComfyUI, setting: str, name: str, value: Any
) -> None:
    assert run(tmp_path, comfy, "--set", setting) == 0
    found = comfy.posted[0]["prompt"]["1"]["inputs"][name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("prompt=fox", "NODE.INPUT=VALUE"),
        ("1.prompt", "NODE.INPUT=VALUE"),
        ("9.prompt=fox", 'no one node is called 9. The workflow has: Node 1 "Kling Text to Video", Node 2'),
        ("1.promt=fox", "has no input promt. Its inputs: prompt, cfg_scale, mode, take, loud"),
        ("1.take=one", "is a number, and 'one' is not one"),
        ("1.take=1.5", "is a number"),
        ("1.loud=maybe", "true or false"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_refused_before_anything_is_queued(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str], setting: str, says: str
) -> None:
    assert run(tmp_path, comfy, "--set", setting) == 1
    assert says in capsys.readouterr().err
    assert comfy.posted == []


def test_each_refused_input_is_named_with_its_node(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    def error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
        return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name}}

    errors = [
        error("value_not_in_list", "Value not in list", "mode: '8k' not in ['std', 'pro']", "mode"),
        error(
            "custom_validation_failed",
            "Custom validation failed for node",
            "prompt - The prompt is empty. Write what the video shows.",
            "prompt",
        ),
    ]
    comfy.refuse = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"1": {"errors": errors, "class_type": "KlingTakesTextToVideo"}},
    }
    assert run(tmp_path, comfy) == 1
    told = capsys.readouterr().err
    assert "nothing ran" in told
    assert "Node 1 \"Kling Text to Video\", input mode: Value not in list: mode: '8k'" in told
    assert 'Node 1 "Kling Text to Video", input prompt: The prompt is empty. Write what' in told
    assert "Custom validation" not in told


def test_what_comfyui_repeats_for_every_input_is_told_once_for_each_node(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*texts: str) -> dict[str, Any]:
        errors = [
            {
                "type": "custom_validation_failed",
                "message": "Custom validation failed for node",
                "details": f"{name} - {text}",
                "extra_info": {"input_name": name},
            }
            for text in texts
            for name in ("prompt", "mode", "duration")
        ]
        return {"errors": errors, "class_type": "KlingTakesTextToVideo"}

    same = "duration: kling-v2-6 makes 5 or 10 seconds - not 7."
    comfy.refuse = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"1": refused(same), "2": refused(same, "prompt: it is empty.")},
    }
    assert run(tmp_path, comfy) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("Node")] == [
        f'Node 1 "Kling Text to Video": {same}',
        f'Node 2 "Save Video": {same}',
        'Node 2 "Save Video": prompt: it is empty.',
    ]


def test_a_refusal_without_a_node_is_told_too(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.refuse = {"error": {"message": "Prompt has no outputs", "details": ""}, "node_errors": {}}
    assert run(tmp_path, comfy) == 1
    assert "Prompt has no outputs" in capsys.readouterr().err


def test_a_workflow_that_is_accepted_in_part_is_no_success(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    comfy.node_errors = {"3": {"errors": [{"type": "x", "message": "Value missing", "details": "video"}]}}
    assert run(tmp_path, comfy) == 1
    assert (tmp_path / "out" / "fox_00001_.mp4").exists()
    assert "Node 3: Value missing: video" in capsys.readouterr().err


def test_the_comfy_key_goes_to_the_server_and_is_never_shown(
    tmp_path: Path,
    comfy: FakeComfyUI,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COMFY_API_KEY", canary)
    comfy.status = {"messages": [["execution_error", {"node_id": "1", "exception_message": "no"}]]}
    run(tmp_path, comfy)
    assert comfy.posted[0]["extra_data"] == {"api_key_comfy_org": canary}
    told = capsys.readouterr()
    assert canary not in told.out + told.err


def test_a_redirect_is_not_followed(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(FakeComfyUI()) as elsewhere:
        comfy.redirect = f"{elsewhere.url}/object_info"
        assert run(tmp_path, comfy) == 1
        assert elsewhere.posted == []
    assert "HTTP 307" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not a JSON file"),
        ('{"nodes": [], "links": []}', "Export (API)"),
        ("{}", "not an API-format workflow"),
        ("[]", "not an API-format workflow"),
        ('{"1": {"inputs": {}}}', "not an API-format workflow"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused_with_the_remedy(
    tmp_path: Path, comfy: FakeComfyUI, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, encoding="utf-8")
    assert headless.main([str(file), "--server", comfy.url]) == 1
    assert says in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert headless.main(["nowhere.json"]) == 1
    assert "nowhere.json can't be read" in capsys.readouterr().err


def test_a_workflow_inside_a_posted_body_is_found(tmp_path: Path, comfy: FakeComfyUI) -> None:
    assert run(tmp_path, comfy, workflow={"prompt": WORKFLOW}) == 0
    assert comfy.posted[0]["prompt"] == WORKFLOW


@pytest.mark.parametrize("url", ["localhost:8188", "ftp://here", "http://"])
def test_an_address_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert run(tmp_path, FakeComfyUI(url=url)) == 1
    assert "is not an address" in capsys.readouterr().err
