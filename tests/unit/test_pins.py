"""Every node with real inputs: the take it makes, the ids Kling knows it by, and the create that arrives.

Users have paid for takes under these ids. The nodes are run from outside, as ComfyUI runs them, and are
judged by what reaches a server, so the pins hold however the pack is arranged inside. The answers are in
tests/golden/takes.json; how to rewrite them is said in the README there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from kling_takes import nodes
from kling_takes.apis import errors
from kling_takes.apis.journal import close_journals
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.take import external_task_id
from kling_takes.simulator.server import create_app
from kling_takes.simulator.state import State
from kling_takes.tests.paper_comfyui import call, put_up
from kling_takes.tests.pinned_cases import REQUIRED, cases, linked

GOLDEN = Path(__file__).parent.parent / "golden" / "takes.json"
#: part of the ids on every host but Kling's own
KEY = "api-key-of-the-pinned-takes"
#: "against the policy": an answer that ends a node's run as soon as its create has arrived
REFUSED = 1301

Pinned = dict[str, str]


def without_packing(value: Any) -> Any:
    """A body with its pictures' pixels in place of their bytes, which another encoder packs otherwise."""
    if isinstance(value, dict):
        return {key: without_packing(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_packing(part) for part in value]
    if not isinstance(value, str) or not value.startswith(("iVBORw0KGgo", "/9j/")):
        return value
    image = Image.open(io.BytesIO(base64.b64decode(value, validate=True)))
    size = f"{image.format} {image.mode} {image.width}x{image.height}"
    if image.format == "JPEG":  # its pixels are the packer's, too
        return size
    return f"{size} {hashlib.sha256(image.tobytes()).hexdigest()}"


def digest(body: Any) -> str:
    text = json.dumps(without_packing(body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def id_in(body: dict[str, Any]) -> str:
    """The id as the legacy dialect and as the new standard carry it."""
    return str(body.get("external_task_id") or body["options"]["external_task_id"])


def take_behind(journal: Path, external_id: str) -> str:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        ((take,),) = connection.execute("SELECT take FROM tasks WHERE external_task_id = ?", (external_id,))
    return str(take)


async def run_all(user: Path, patch: pytest.MonkeyPatch) -> dict[str, Pinned]:
    """Run every case against a simulator that serves every model and refuses each create in the end."""
    arrived: list[tuple[str, dict[str, Any]]] = []

    @web.middleware
    async def listen(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            arrived.append((request.path, json.loads(await request.read())))
        answer: web.StreamResponse = await handler(request)
        return answer

    state = State(api_keys={KEY: "tests"}, retired_models=True, refuse_code=REFUSED)
    app = create_app(state)
    app.middlewares.append(listen)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    found: dict[str, Pinned] = {}
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        patch.setenv("KLING_API_BASE", f"http://127.0.0.1:{runner.addresses[0][1]}")
        patch.setenv("KLING_API_KEY", KEY)
        for name, (node_id, inputs) in cases().items():
            arrived.clear()
            with pytest.raises(errors.KlingTakesError) as refusal:
                await call(node_id, linked(inputs))
            assert len(arrived) == 1, (name, refusal.value)
            ((path, body),) = arrived
            take = take_behind(user / "journal.sqlite3", id_in(body))
            found[name] = {
                "node": node_id,
                "take": take,
                "external_task_id": external_task_id(take, 1),
                "path": path,
                "external_task_id_at_a_gateway": id_in(body),
                "body_sha256": digest(body),
            }
        # Each was judged to be a good order before it was refused: a bad one would have another code.
        assert {code for _, code in state.refusals} == {REFUSED}
    finally:
        await runner.cleanup()
        close_journals()
    return found


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, pytest.MonkeyPatch]]:
    """The pack's user folder in a ComfyUI of paper, and the patch that takes it down again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("KLING_"):
                patch.delenv(name)
        yield put_up(tmp_path_factory.mktemp("pins"), patch), patch


@pytest.fixture(scope="module")
def found(comfyui: tuple[Path, pytest.MonkeyPatch]) -> dict[str, Pinned]:
    result = asyncio.run(run_all(*comfyui))
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
        pytest.skip(
            f"{GOLDEN.name} was rewritten; read the difference, then run the test without UPDATE_GOLDEN"
        )
    return result


@pytest.fixture(scope="module")
def pinned(found: dict[str, Pinned]) -> dict[str, Pinned]:
    result: dict[str, Pinned] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return result


def changed(found: dict[str, Pinned], pinned: dict[str, Pinned], *parts: str) -> list[str]:
    return [name for name in pinned if any(found[name][part] != pinned[name][part] for part in parts)]


def test_every_case_is_pinned(found: dict[str, Pinned], pinned: dict[str, Pinned]) -> None:
    assert list(found) == list(pinned)


def test_no_take_is_bought_again(found: dict[str, Pinned], pinned: dict[str, Pinned]) -> None:
    ids = ("take", "external_task_id", "external_task_id_at_a_gateway")
    again = changed(found, pinned, *ids)
    assert not again, "these takes would be bought again:\n" + "\n".join(again)


def test_what_arrives_at_kling_is_what_arrived_before(
    found: dict[str, Pinned], pinned: dict[str, Pinned]
) -> None:
    others = changed(found, pinned, "path", "body_sha256")
    assert not others, "these creates would reach Kling in another form:\n" + "\n".join(others)


def test_the_pins_are_of_every_node_that_buys_and_of_every_model_it_offers(pinned: dict[str, Pinned]) -> None:
    buying = {name for name, node in nodes.NODE_CLASS_MAPPINGS.items() if "VIDEO" in node.RETURN_TYPES}
    assert {pin["node"] for pin in pinned.values()} == buying - {"KlingTakesRecover"}
    used = {(node_id, inputs.get("model_name")) for node_id, inputs in cases().values()}
    table = load_table()
    living = {name for name, spec in table.specs.items() if spec.retired_on is None}
    for node_id in REQUIRED:
        declared = nodes.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
        offered = {**declared["required"], **declared["optional"]}["model_name"][0]
        wanted = set(offered) if "camera_control" not in declared["required"] else living & set(offered)
        missing = wanted - {name for used_by, name in used if used_by == node_id}
        assert not missing, (node_id, missing)
