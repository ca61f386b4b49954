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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
from kling_takes.tests.paper_comfyui import Frames, call, put_up, widgets

GOLDEN = Path(__file__).parent.parent / "golden" / "takes.json"
#: part of the ids on every host but Kling's own
KEY = "api-key-of-the-pinned-takes"
#: "against the policy": an answer that ends a node's run as soon as its create has arrived
REFUSED = 1301

Pinned = dict[str, str]


# -- what goes in --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """The first output of another node, made when it is needed."""

    node_id: str
    inputs: dict[str, Any]

    def value(self) -> Any:
        return call(self.node_id, linked(self.inputs))[0]


def linked(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value.value() if isinstance(value, Link) else value for name, value in inputs.items()}


def camera(kind: str, node_id: str = "KlingTakesCameraControls", **movements: float) -> Link:
    axes = ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")
    return Link(node_id, {"camera_control_type": kind, **dict.fromkeys(axes, 0.0), **movements})


def shots(*parts: tuple[str, int]) -> Link:
    chain: Link | None = None
    for prompt, seconds in parts:
        before = {"previous_shots": chain} if chain else {}
        chain = Link("KlingTakesShot", {"prompt": prompt, "seconds": seconds, **before})
    assert chain is not None
    return chain


def picture(height: int, width: int, channels: int = 3, batch: int = 1, seed: int = 0) -> Frames:
    """Stripes that are whole steps of 1/255, so that they are the same pixels on every machine."""
    number = np.arange(batch * height * width * channels, dtype=np.uint32).reshape(
        batch, height, width, channels
    )
    pixels = ((number // 97 + seed) % 256).astype(np.float32) / np.float32(255)
    if channels == 4:
        pixels[..., 3] = np.array([0.0, 0.5, 1.0], dtype=np.float32)[number[..., 3] % 3]
    return Frames(pixels)


def even(value: float, height: int = 300, width: int = 300) -> Frames:
    return Frames(np.full((1, height, width, 3), value, dtype=np.float32))


def noise(height: int, width: int) -> Frames:
    """Too much for a PNG that Kling takes."""
    number = np.arange(height * width * 3, dtype=np.uint32)
    for _ in range(2):
        number = (number ^ (number >> np.uint32(16))) * np.uint32(0x45D9F3B)
    steps = (number >> np.uint32(24)).astype(np.float32) / np.float32(255)
    return Frames(steps.reshape(1, height, width, 3))


START = picture(320, 400)
END = picture(330, 400, seed=90)
PROMPT = "a red kite over the sea"
CAMERA_WORDS = {"prompt": PROMPT, "negative_prompt": "", "cfg_scale": 0.5}
WORDS = {**CAMERA_WORDS, "model_name": "kling-v2-5-turbo", "mode": "std", "duration": "5"}
REQUIRED: dict[str, dict[str, Any]] = {
    "KlingTakesTextToVideo": {**WORDS, "aspect_ratio": "16:9"},
    "KlingTakesImageToVideo": {**WORDS, "start_frame": START},
    "KlingTakesStartEndFrameToVideo": {**WORDS, "mode": "pro", "start_frame": START, "end_frame": END},
    "KlingTakesTextToVideoCameraControl": {
        **CAMERA_WORDS,
        "aspect_ratio": "16:9",
        "camera_control": camera("simple", zoom=5.0),
    },
    "KlingTakesImageToVideoCameraControl": {
        **CAMERA_WORDS,
        "start_frame": START,
        "camera_control": camera("simple", zoom=5.0),
    },
}
#: the ids of ComfyUI's own nodes, what they stand for, and the widget that some of them have beside
OLD: dict[str, tuple[str, dict[str, Any]]] = {
    "KlingTextToVideoNode": ("KlingTakesTextToVideo", {}),
    "KlingImage2VideoNode": ("KlingTakesImageToVideo", {"aspect_ratio": "9:16"}),
    "KlingStartEndFrameNode": ("KlingTakesStartEndFrameToVideo", {"aspect_ratio": "1:1"}),
    "KlingCameraControlT2VNode": (
        "KlingTakesTextToVideoCameraControl",
        {"camera_control": camera("simple", "KlingCameraControls", zoom=5.0)},
    ),
    "KlingCameraControlI2VNode": (
        "KlingTakesImageToVideoCameraControl",
        {"camera_control": camera("simple", "KlingCameraControls", zoom=5.0), "aspect_ratio": "16:9"},
    ),
}

TWO_SHOTS = shots(("a door opens", 2), ("a window breaks", 3))
V26, V3 = {"model_name": "kling-v2-6"}, {"model_name": "kling-v3"}
TURBO3 = {"model_name": "kling-3.0-turbo", "sound": "on"}
V1, V15, V16 = {"model_name": "kling-v1"}, {"model_name": "kling-v1-5"}, {"model_name": "kling-v1-6"}

#: by node, what is given beside or instead of its required inputs
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "KlingTakesTextToVideo": {
        "take 0": {"take": 0},
        "take 1": {"take": 1},
        "take 7": {"take": 7},
        "largest take": {"take": 2**31 - 1},
        "sound off": {"sound": "off"},
        "other letters": {"prompt": "Ein Drachen über dem Meer, 凧 🪁"},
        "spaces and lines": {"prompt": "  a kite \n\n over the sea\t "},
        "negative prompt": {"negative_prompt": "rain, blur"},
        "cfg_scale on a model without it": {"cfg_scale": 0.5, **V3},
        "pro, 10 s, 9:16": {"mode": "pro", "duration": "10", "aspect_ratio": "9:16"},
        "kling-v2-6": V26,
        "kling-v2-6, sound on": {**V26, "mode": "pro", "sound": "on"},
        "kling-v3": V3,
        "kling-v3, 3 s": {**V3, "duration": "3"},
        "kling-v3, pro, 15 s, 1:1": {**V3, "mode": "pro", "duration": "15", "aspect_ratio": "1:1"},
        "kling-v3, 4k, sound on": {**V3, "mode": "4k", "sound": "on"},
        "kling-v3, two shots": {**V3, "prompt": "", "shots": TWO_SHOTS},
        "kling-v3, two shots, other duration": {**V3, "prompt": "", "shots": TWO_SHOTS, "duration": "9"},
        "kling-v3, three shots, sound on": {
            **V3,
            "prompt": "",
            "sound": "on",
            "shots": shots(("a fox wakes", 1), ("it runs, überall", 3), ("it sleeps", 6)),
            "take": 7,
        },
        "kling-3.0-turbo": TURBO3,
        "kling-3.0-turbo, pro, 7 s": {**TURBO3, "mode": "pro", "duration": "7"},
        "kling-3.0-turbo, two shots": {**TURBO3, "prompt": "", "shots": TWO_SHOTS},
        "kling-v1": V1,
        "kling-v1, cfg_scale 0.8": {**V1, "cfg_scale": 0.8},
        "kling-v1, cfg_scale 0": {**V1, "cfg_scale": 0.0},
        "kling-v1, cfg_scale -0": {**V1, "cfg_scale": -0.0},
        "kling-v1, cfg_scale 1": {**V1, "cfg_scale": 1.0, "negative_prompt": "rain"},
        "kling-v1-6": {**V16, "mode": "pro", "cfg_scale": 0.31},
        "kling-v2-master": {"model_name": "kling-v2-master"},
        "kling-v2-1-master": {"model_name": "kling-v2-1-master", "mode": "pro", "duration": "10"},
    },
    "KlingTakesImageToVideo": {
        "take 1": {"take": 1},
        "take 7": {"take": 7},
        "smallest picture": {"start_frame": picture(300, 300)},
        "upright picture": {"start_frame": picture(640, 360)},
        "longest picture": {"start_frame": picture(300, 750)},
        "first of a batch": {"start_frame": picture(320, 400, batch=3)},
        "picture with alpha": {"start_frame": picture(360, 480, channels=4)},
        "grey picture": {"start_frame": picture(320, 400, channels=1)},
        "half steps": {"start_frame": even(0.5)},
        "over white": {"start_frame": even(1.7)},
        "below black": {"start_frame": even(-0.2)},
        "no numbers": {"start_frame": even(float("nan"))},
        "picture that is sent as JPEG": {"start_frame": noise(1500, 1800)},
        "negative prompt": {"negative_prompt": "rain, blur"},
        "pro, 10 s": {"mode": "pro", "duration": "10"},
        "kling-v2-6": V26,
        "kling-v2-6, sound on": {**V26, "mode": "pro", "sound": "on"},
        "kling-v3, sound on, 8 s": {**V3, "sound": "on", "duration": "8"},
        "kling-v3, 4k": {**V3, "mode": "4k"},
        "kling-v3, two shots": {**V3, "prompt": "", "shots": TWO_SHOTS},
        "kling-3.0-turbo": TURBO3,
        "kling-3.0-turbo, alpha, pro, 4 s": {
            **TURBO3,
            "start_frame": picture(360, 480, channels=4),
            "mode": "pro",
            "duration": "4",
        },
        "kling-3.0-turbo, two shots": {**TURBO3, "prompt": "", "shots": TWO_SHOTS},
        "kling-v1": V1,
        "kling-v1-5, cfg_scale 0.8": {**V15, "cfg_scale": 0.8},
        "kling-v1-6": V16,
        "kling-v2-1": {"model_name": "kling-v2-1"},
        "kling-v2-master": {"model_name": "kling-v2-master"},
        "kling-v2-1-master": {"model_name": "kling-v2-1-master"},
    },
    "KlingTakesStartEndFrameToVideo": {
        "take 7": {"take": 7},
        "the same picture twice": {"end_frame": START},
        "alpha at the end": {"end_frame": picture(360, 480, channels=4)},
        "frames the other way round": {"start_frame": END, "end_frame": START},
        "negative prompt, 10 s": {"negative_prompt": "rain", "duration": "10"},
        "kling-v2-6": V26,
        "kling-v3, std, sound on": {**V3, "mode": "std", "sound": "on"},
        "kling-v3, 4k, 15 s": {**V3, "mode": "4k", "duration": "15"},
        "kling-v3, two shots": {**V3, "prompt": "", "shots": TWO_SHOTS},
        "kling-v1, std": {**V1, "mode": "std"},
        "kling-v1-5": V15,
        "kling-v1-6, cfg_scale 0.8": {**V16, "cfg_scale": 0.8},
        "kling-v2-1": {"model_name": "kling-v2-1"},
    },
    "KlingTakesTextToVideoCameraControl": {
        "take 7": {"take": 7},
        "-0 on the other axes": {
            "camera_control": camera("simple", pan=-0.0, tilt=-0.0, roll=-0.0, zoom=5.0)
        },
        "a whole number": {"camera_control": camera("simple", zoom=5)},
        "slide": {"camera_control": camera("simple", horizontal_movement=-10.0)},
        "lift": {"camera_control": camera("simple", vertical_movement=0.25)},
        "pan": {"camera_control": camera("simple", pan=-2.25)},
        "tilt": {"camera_control": camera("simple", tilt=10.0)},
        "roll": {"camera_control": camera("simple", roll=1.0)},
        "down_back": {"camera_control": camera("down_back")},
        "forward_up": {"camera_control": camera("forward_up")},
        "right_turn_forward": {"camera_control": camera("right_turn_forward")},
        "left_turn_forward": {"camera_control": camera("left_turn_forward")},
        "kling-v2-6, pro, 10 s, sound on": {**V26, "mode": "pro", "duration": "10", "sound": "on"},
        "kling-v3, 9:16": {**V3, "aspect_ratio": "9:16", "negative_prompt": "rain"},
        "kling-3.0-turbo": TURBO3,
        "kling-v1, in the field": V1,
        "kling-v1, -0, in the field": {**V1, "camera_control": camera("simple", pan=-0.0, zoom=-2.5)},
        "kling-v1, preset, in the field": {**V1, "camera_control": camera("forward_up"), "cfg_scale": 0.8},
        "kling-v1, pro": {**V1, "mode": "pro"},
    },
    "KlingTakesImageToVideoCameraControl": {
        "take 1": {"take": 1},
        "alpha": {"start_frame": picture(360, 480, channels=4)},
        "preset": {"camera_control": camera("left_turn_forward")},
        "kling-v2-6, 10 s": {**V26, "duration": "10"},
        "kling-v3, 12 s, sound on": {**V3, "duration": "12", "sound": "on"},
        "kling-3.0-turbo": TURBO3,
        "kling-v1-5, in the field": {**V15, "mode": "pro", "camera_control": camera("simple", tilt=-3.5)},
        "kling-v1-5, preset": {**V15, "mode": "pro", "camera_control": camera("down_back")},
    },
}


def cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """Every case by its name: the node and all of its inputs."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for node_id, required in REQUIRED.items():
        found[f"{node_id}: optional inputs left out"] = (node_id, required)
        links = {name: value for name, value in required.items() if isinstance(value, Frames | Link)}
        fresh = {**widgets(node_id), **links, "prompt": PROMPT}
        found[f"{node_id}: widgets at their defaults"] = (node_id, fresh)
        for case, change in CHANGES[node_id].items():
            found[f"{node_id}: {case}"] = (node_id, {**required, **change})
    for node_id, (stands_for, beside) in OLD.items():
        found[f"{node_id}: old id"] = (node_id, {**REQUIRED[stands_for], **beside})
        links = {name: value for name, value in REQUIRED[stands_for].items() if isinstance(value, Frames)}
        fresh = {**widgets(node_id), **links, **beside, "prompt": PROMPT, "take": 7}
        found[f"{node_id}: old id, widgets at their defaults, take 7"] = (node_id, fresh)
    return found


# -- what comes out ------------------------------------------------------------------------------------


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
