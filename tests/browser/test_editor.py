"""What an artist sees: open an example, press Run, watch the video.

Screenshots of each step are kept in `.dev/screenshots`, which is not part of the repository.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kling_takes.devtools.comfyui import ROOT

SCREENSHOTS = ROOT / ".dev" / "screenshots"
EXAMPLES = sorted((ROOT / "example_workflows" / "api").glob("*.json"))
NODE = "KlingTakesTextToVideo"


@pytest.fixture(autouse=True)
def _without_complaints_of_our_script(editor: Any) -> Any:
    editor.complaints.clear()
    yield
    assert editor.of_ours() == []


@pytest.mark.parametrize(
    ("example", "node"), [("text_to_video", NODE), ("image_to_video", "KlingTakesImageToVideo")]
)
def test_an_example_is_opened_run_and_its_video_plays(
    editor: Any, comfyui: Any, kling: Any, example: str, node: str
) -> None:
    kling.render = "full"
    kling.processing_seconds = 1.0
    editor.load_example(example)
    # A take of its own: the other tests run the same examples on the same account.
    editor.set_widget(node, "take", 7)
    editor.tidy()
    editor.screenshot(SCREENSHOTS / f"{example}-before.png")
    bought = len(kling.billed())
    editor.press_run()
    text = editor.wait_for_text(node, "Delivered")
    video = editor.wait_for_video()
    editor.page.wait_for_timeout(300)
    editor.screenshot(SCREENSHOTS / f"{example}-after.png")

    assert text.startswith("Delivered: 5 s of video, task ")
    assert "Kling deducted 1.5 units." in text
    assert "Estimated price: 1.5 units ($0.21)." in text
    assert editor.page.get_by_text("Delivered: 5 s of video").first.is_visible()
    assert video["seconds"] == pytest.approx(5, abs=0.1)
    assert video["height"] == 720
    assert video["shown_width"] > 100
    assert video["shown_height"] > 100
    assert len(kling.billed()) == bought + 1


def test_a_failed_take_is_told_in_a_sentence(editor: Any, kling: Any) -> None:
    editor.load_example("text_to_video")
    editor.set_widget(NODE, "prompt", "a browser that fails [fail]")
    editor.tidy()
    editor.press_run()
    told = editor.page.get_by_text("A failed task is not billed").first
    told.wait_for()
    editor.screenshot(SCREENSHOTS / "failed.png")
    editor.page.keyboard.press("Escape")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_editor_makes_of_an_example_what_its_api_form_says(editor: Any, path: Path) -> None:
    editor.load_example(path.stem)
    written = json.loads(path.read_text(encoding="utf-8"))
    sent = editor.as_api()
    for node in sent.values():
        if node["class_type"] == "PreviewAny":
            node["inputs"].pop("preview", None)  # the editor's own box for the text
    assert {key: (node["class_type"], node["inputs"]) for key, node in sent.items()} == {
        key: (node["class_type"], node["inputs"]) for key, node in written.items()
    }
    editor.screenshot(SCREENSHOTS / f"example-{path.stem}.png")
    # Opened as it was saved, every node lies in view, below the bars and beside the menu.
    for node in editor.nodes_on_page():
        assert node["left"] >= 60, node
        assert node["top"] >= 100, node


def test_the_price_is_on_the_node_before_it_runs_and_follows_mode_and_length(editor: Any, kling: Any) -> None:
    before = len(kling.requests)
    editor.load_example("text_to_video")
    editor.wait_for_badge(NODE, "1.5 units ($0.21)")
    editor.set_widget(NODE, "mode", "pro")
    editor.wait_for_badge(NODE, "2.5 units ($0.35)")
    editor.set_widget(NODE, "duration", "10")
    editor.wait_for_badge(NODE, "5 units ($0.70)")
    editor.set_widget(NODE, "mode", "std")
    editor.set_widget(NODE, "duration", "5")
    editor.wait_for_badge(NODE, "1.5 units ($0.21)")
    assert len(kling.requests) == before


def test_a_price_that_could_not_be_asked_is_asked_again(editor: Any, kling: Any) -> None:
    editor.load_example("text_to_video")
    editor.page.route("**/kling_takes/price*", lambda route: route.abort())
    editor.set_widget(NODE, "model_name", "kling-v2-6")
    editor.page.wait_for_timeout(500)
    assert editor.badge(NODE) == ""
    assert editor.of_ours(), "a browser says what it could not fetch"
    editor.page.unroute("**/kling_takes/price*")
    editor.wait_for_badge(NODE, "1.5 units ($0.21)")
    editor.complaints.clear()


def test_the_template_browser_lists_every_example(comfyui: Any) -> None:
    offered = comfyui.get("/workflow_templates")
    assert set(offered["kling-takes"]) == {path.stem for path in EXAMPLES}


def test_the_help_of_a_node_opens_beside_the_graph(editor: Any) -> None:
    editor.load_example("text_to_video")
    editor.tidy()
    editor.select(NODE)
    editor.page.get_by_test_id("info-button").click()
    editor.page.get_by_role("heading", name="When something goes wrong").wait_for()
    picture = editor.page.wait_for_function(
        """() => [...document.querySelectorAll('.node-help-content img')]
            .filter((one) => one.complete).map((one) => [one.src, one.naturalWidth])"""
    ).json_value()
    editor.screenshot(SCREENSHOTS / "help.png")
    text = editor.page.locator(".node-help-content").inner_text()
    assert "offered by Kling" in text
    assert "dev.py" not in text, "the marks of the written tables stay unseen"
    assert all(width > 0 for _source, width in picture)
    editor.page.get_by_test_id("info-button").click()
