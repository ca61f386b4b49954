"""Real inputs for every node that buys: what the pins of takes are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kling_takes.tests.paper_comfyui import Frames, call, widgets


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
