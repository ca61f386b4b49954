"""The promise in a real ComfyUI: whatever breaks, a take is billed once and can be collected.

The simulator's books are the judge: `graphs.billed` counts what Kling was paid for.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kling_takes.simulator.faults import Fault
from kling_takes.tests.comfyui import graphs, harness


def reason(entry: Any) -> str:
    """The sentence with which a run failed."""
    return str(harness.error_of(entry)["exception_message"])


def videos(server: Any, entry: Any) -> list[Path]:
    """The videos that a run put out; each of them is there."""
    found = [path for path in server.output_files(entry) if path.suffix == ".mp4"]
    assert all(path.stat().st_size > 1000 for path in found)
    return found


def until(condition: Any, timeout: float = 20.0) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


# -- one server ------------------------------------------------------------------------------------------


def test_a_lost_reply_is_looked_up_and_billed_once(comfyui: Any, kling: Any) -> None:
    kling.faults.append(Fault("create", "make_then_reset"))
    creates = kling.creates_received
    with comfyui.listen() as events:
        entry = comfyui.run(graphs.text_to_video("an echo without an answer"))
    assert harness.status_of(entry) == "success", entry["status"]
    assert kling.creates_received == creates + 1
    assert graphs.billed(kling, "an echo without an answer") == 1
    assert len(videos(comfyui, entry)) == 1
    assert any("The reply was lost" in text for text in events.texts_of("1"))


def test_of_four_nodes_one_is_refused_by_moderation_and_the_others_are_collected_on_the_next_run(
    comfyui: Any, kling: Any
) -> None:
    kling.processing_seconds = 600.0
    graph = graphs.several("quartet violin", "quartet viola", "quartet [fail]", "quartet cello")
    prompt_id = comfyui.post_prompt(graph)
    until(lambda: len(graphs.tasks(kling, "quartet")) == 4)
    (refused,) = graphs.tasks(kling, "quartet [fail]")
    refused.due_at = time.time()
    entry = comfyui.wait(prompt_id)
    assert harness.status_of(entry) == "error"
    assert harness.error_of(entry)["node_id"] == "3"
    assert "A failed task is not billed" in reason(entry)
    assert videos(comfyui, entry) == []

    for task in graphs.tasks(kling, "quartet"):
        task.due_at = time.time()
    kling.processing_seconds = 0.05
    creates = kling.creates_received
    graph["3"]["inputs"]["prompt"] = "quartet drum"
    with comfyui.listen() as events:
        entry = comfyui.run(graph)
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(comfyui, entry)) == 4
    assert kling.creates_received == creates + 1, "the mended one and no other"
    assert graphs.billed(kling, "quartet") == 4
    for node in ("1", "2", "4"):
        assert events.texts_of(node)[-1].startswith("Collected, nothing paid")
    assert events.texts_of("3")[-1].startswith("Delivered")


def test_cancel_during_a_poll_that_hangs_takes_a_second_at_most(comfyui: Any, kling: Any) -> None:
    kling.processing_seconds = 2.0
    kling.faults.append(Fault("query", "hang", seconds=120.0))
    words = "a telephone that nobody answers"
    prompt_id = comfyui.post_prompt(graphs.text_to_video(words))
    until(lambda: graphs.tasks(kling, words) and not kling.faults)
    time.sleep(0.3)
    begun = time.monotonic()
    comfyui.interrupt(prompt_id)
    entry = comfyui.wait(prompt_id)
    assert time.monotonic() - begun <= 1.0
    assert harness.status_of(entry) == "interrupted"

    creates = kling.creates_received
    entry = comfyui.run(graphs.text_to_video(words))
    assert harness.status_of(entry) == "success", entry["status"]
    assert kling.creates_received == creates
    assert graphs.billed(kling, words) == 1


def test_five_nodes_at_an_account_limit_of_two_are_all_delivered(comfyui: Any, kling: Any) -> None:
    kling.concurrency_limit = 2
    kling.processing_seconds = 0.5
    refused = kling.refusals[429, 1303]
    with comfyui.listen() as events:
        entry = comfyui.run(graphs.several(*(f"dwarf number {number}" for number in range(5))))
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(comfyui, entry)) == 5
    assert graphs.billed(kling, "dwarf number") == 5
    assert kling.refusals[429, 1303] > refused, "the limit was felt"
    assert any("Waiting for a free slot" in text for _node, text in events.texts)


def test_the_same_take_in_two_nodes_is_billed_once(comfyui: Any, kling: Any) -> None:
    entry = comfyui.run(graphs.several("twins", "twins"))
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(comfyui, entry)) == 2
    assert graphs.billed(kling, "twins") == 1


@pytest.mark.parametrize("which", ["task_id", "external_task_id"])
def test_recover_fetches_a_video_by_either_id_and_buys_nothing(comfyui: Any, kling: Any, which: str) -> None:
    words = f"a bottle with a letter, {which}"
    entry = comfyui.run(graphs.text_to_video(words))
    assert harness.status_of(entry) == "success", entry["status"]
    (task,) = graphs.tasks(kling, words)
    creates = kling.creates_received
    workflow = {
        "1": {
            "class_type": "KlingTakesRecover",
            "inputs": {
                "task_id": task.id if which == "task_id" else task.external_task_id,
                "product": "auto",
            },
        },
        "2": graphs.save("1"),
        **{str(2 + n): {"class_type": "PreviewAny", "inputs": {"source": ["1", n]}} for n in range(1, 5)},
    }
    entry = comfyui.run(workflow)
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(comfyui, entry)) == 1
    assert [graphs.shown(entry, node) for node in ("3", "4")] == [task.id, task.external_task_id]
    assert float(graphs.shown(entry, "5")) == 5
    assert graphs.shown(entry, "6") == "succeed"
    assert kling.creates_received == creates


def test_recover_fetches_a_video_that_was_made_elsewhere(comfyui: Any, kling: Any, canary: str) -> None:
    task = kling.seed_task("image2video", account=kling.api_keys[canary])
    workflow = {
        "1": {"class_type": "KlingTakesRecover", "inputs": {"task_id": task.id, "product": "auto"}},
        "2": graphs.save("1"),
    }
    entry = comfyui.run(workflow)
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(comfyui, entry)) == 1


# -- servers that die ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Another ComfyUI, on the same account: to be killed, and to compete with the shared one."""
    server = harness.ComfyUI(tmp_path_factory.mktemp("mortal"))
    yield server
    server.stop()


def up(server: Any, comfyui: Any, canary: str, **more: str) -> Any:
    """Start the server on the shared one's Kling and key, unless it runs with this environment already."""
    env = {"KLING_API_BASE": comfyui.simulator.url, "KLING_API_KEY": canary, **more}
    if not server.running or server.env != env:
        server.stop()
        graphs.expect_quick_models(server.system_user_dir)
        server.start(env)
    return server


def collected(server: Any, graph: Mapping[str, Any], kling: Any) -> Any:
    """Run a graph of takes that were bought before: each is delivered, nothing is sent that could cost."""
    creates = kling.creates_accepted
    with server.listen() as events:
        entry = server.run(graph)
    assert harness.status_of(entry) == "success", entry["status"]
    assert len(videos(server, entry)) == len(graph) // 2
    assert kling.creates_accepted == creates
    for node in graph:
        if not node.startswith("s"):
            assert events.texts_of(node)[-1].startswith("Collected, nothing paid")
    return entry


def test_two_servers_with_the_same_take_are_billed_once_and_both_deliver(
    comfyui: Any, kling: Any, mortal: Any, canary: str
) -> None:
    up(mortal, comfyui, canary)
    kling.processing_seconds = 1.5
    words = "a duel at dawn"
    runs = [(server, server.post_prompt(graphs.text_to_video(words))) for server in (comfyui, mortal)]
    for server, prompt_id in runs:
        entry = server.wait(prompt_id)
        assert harness.status_of(entry) == "success", entry["status"]
        assert len(videos(server, entry)) == 1
    assert graphs.billed(kling, words) == 1


def test_the_start_of_another_server_of_the_installation_wipes_no_take(
    comfyui: Any, kling: Any, comfyui_factory: Any, canary: str, tmp_path: Path
) -> None:
    first, second = (comfyui_factory(base_dir=tmp_path / "both") for _ in range(2))
    up(first, comfyui, canary)
    graph = graphs.several("a lighthouse at noon")
    assert harness.status_of(first.run(graph)) == "success"
    takes = list((first.system_user_dir / "takes").iterdir())
    downloads = kling.downloads
    up(second, comfyui, canary)
    assert list((first.system_user_dir / "takes").iterdir()) == takes
    collected(second, graph, kling)
    assert kling.downloads == downloads
    assert all(path.stat().st_size > 1000 for path in takes)


def test_a_server_killed_while_polling_collects_after_its_restart(
    comfyui: Any, kling: Any, mortal: Any, canary: str
) -> None:
    up(mortal, comfyui, canary)
    finished = graphs.several("a candle that burned down")
    assert harness.status_of(mortal.run(finished)) == "success"

    kling.processing_seconds = 3.0
    words = "a candle in the wind"
    mortal.post_prompt(graphs.several(words))
    until(lambda: graphs.tasks(kling, words))
    polls = kling.polls
    until(lambda: kling.polls > polls)
    mortal.kill()

    mortal.restart()
    collected(mortal, graphs.several(words), kling)
    # Every start wipes the folder for temporary files. Takes are kept elsewhere: nothing is fetched again.
    downloads = kling.downloads
    collected(mortal, finished, kling)
    assert kling.downloads == downloads
    assert graphs.billed(kling, words) == 1
    assert graphs.billed(kling, "a candle that burned down") == 1


def test_without_its_user_folder_a_server_still_collects_and_a_daily_limit_counts_purchases_only(
    comfyui: Any, kling: Any, mortal: Any, canary: str
) -> None:
    up(mortal, comfyui, canary)
    words = "an elephant forgets nothing"
    assert harness.status_of(mortal.run(graphs.several(words))) == "success"
    mortal.stop()
    shutil.rmtree(mortal.user_dir)

    up(mortal, comfyui, canary, KLING_MAX_USD_PER_DAY="0.30")
    collected(mortal, graphs.several(words), kling)
    assert graphs.billed(kling, words) == 1

    # $0.21 of $0.30: the collected one does not count, the first purchase fits, the second does not.
    assert harness.status_of(mortal.run(graphs.several("a coin in the fountain"))) == "success"
    requests = kling.creates_received
    entry = mortal.run(graphs.several("another coin"))
    assert harness.status_of(entry) == "error"
    assert "KLING_MAX_USD_PER_DAY" in reason(entry)
    assert "$0.21" in reason(entry)
    assert kling.creates_received == requests
    assert graphs.tasks(kling, "another coin") == []
