"""The rules that legacy video products share: a request body and its model become an order, or a refusal.

Pure. Each rule is Kling's (Kling docs 2026-03 with later updates); where Kling's answer is not known or
sources disagree, the strict reading refuses. A field that Kling documents as ignored, or that it is known to
drop in silence, is dropped here too and named in `Order.ignored`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import prices
from .answers import invalid, invalid_value
from .fields import choice, external_id, flag, number, text, watermark
from .model import Model
from .order import Camera, Shot, VideoOrder

NEGATIVE_LIMIT = 2500  # characters
SHOT_PROMPT_LIMIT = 512  # characters
SHOT_COUNT = 6
MODES = ("std", "pro", "4k")
AXES = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")
CAMERA_TYPES = ("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward")
VOICE_MARK = re.compile(r"<<<voice_\d+>>>")
#: The fields that every legacy video product knows; a product adds its own.
FIELDS = frozenset(
    {"model_name", "prompt", "negative_prompt", "multi_shot", "shot_type", "multi_prompt", "sound"}
    | {"cfg_scale", "mode", "camera_control", "duration"}
    | {"watermark_info", "callback_url", "external_task_id"}
)


def check(product: str, body: Mapping[str, Any], model: Model, own_fields: frozenset[str]) -> VideoOrder:
    """Return the order in a legacy create body, without what only `own_fields` of the product say.

    Raises Refusal with Kling's code and message.
    """
    ignored = [name for name in body if name not in FIELDS | own_fields]
    mode = _mode(body, model, ignored)
    seconds = _seconds(body, model)
    sound = _sound(body, model, mode)
    _cfg_scale(body, model, ignored)
    shots = _shots(body, model, seconds, ignored)
    return VideoOrder(
        product,
        str(model.legacy),
        _prompt(body, model, shots, ignored),
        negative_prompt=text(body, "negative_prompt", NEGATIVE_LIMIT),
        mode=mode,
        seconds=seconds,
        aspect_ratio="",
        sound=sound,
        shots=shots,
        camera=_camera(product, body, model, mode, seconds, ignored),
        rate=prices.units_per_second(str(model.legacy), mode, sound, model),
        watermark=watermark(body),
        external_task_id=external_id(body),
        ignored=tuple(ignored),
    )


def check_voice_marks(order: VideoOrder) -> None:
    """Refuse a prompt that names a voice when none is given."""
    if VOICE_MARK.search(order.prompt) and not order.voices:
        raise invalid("the prompt names a voice, but voice_list is empty or not supported")


def _mode(body: Mapping[str, Any], model: Model, ignored: list[str]) -> str:
    mode = choice(body, "mode", MODES, "std")
    if model.fixed_mode:
        ignored.extend(["mode"] if "mode" in body else [])
        return model.fixed_mode
    if mode not in model.modes:
        raise invalid_value("mode", mode)
    return mode


def _prompt(body: Mapping[str, Any], model: Model, shots: tuple[Shot, ...], ignored: list[str]) -> str:
    prompt = text(body, "prompt", None if shots else model.legacy_characters)
    if shots:
        ignored.extend(["prompt"] if prompt else [])
        return ""
    if not prompt.strip():
        raise invalid("prompt cannot be empty")
    return prompt


def _seconds(body: Mapping[str, Any], model: Model) -> int:
    value = body.get("duration", "5")
    if not isinstance(value, str) or value not in {str(seconds) for seconds in model.durations}:
        raise invalid_value("duration", value)
    return int(value)


def _sound(body: Mapping[str, Any], model: Model, mode: str) -> bool:
    sound = choice(body, "sound", ("on", "off"), "off") == "on"
    if sound and mode not in model.sound_modes:
        raise invalid("sound value 'on' is not supported by the current model and mode")
    return model.sound_always or sound


def _cfg_scale(body: Mapping[str, Any], model: Model, ignored: list[str]) -> None:
    if body.get("cfg_scale") is not None:
        number("cfg_scale", body["cfg_scale"], 0.0, 1.0)
        if not model.cfg_scale:
            ignored.append("cfg_scale")


def _shots(body: Mapping[str, Any], model: Model, seconds: int, ignored: list[str]) -> tuple[Shot, ...]:
    if not flag(body, "multi_shot", False):
        ignored.extend(name for name in ("shot_type", "multi_prompt") if body.get(name) is not None)
        return ()
    if not model.shots:
        raise invalid("multi_shot is not supported by the current model")
    kind = body.get("shot_type")
    if kind not in ("customize", "intelligence"):
        raise invalid_value("shot_type", kind)
    listed = body.get("multi_prompt")
    if kind == "intelligence":
        if listed is not None:
            ignored.append("multi_prompt")
        return ()
    if not isinstance(listed, list) or not 1 <= len(listed) <= SHOT_COUNT:
        raise invalid(f"multi_prompt must hold 1 to {SHOT_COUNT} shots")
    shots = tuple(_shot(place, entry) for place, entry in enumerate(listed, start=1))
    if sum(shot.seconds for shot in shots) != seconds:
        raise invalid("the sum of the multi_prompt durations must equal duration")
    return shots


def _shot(place: int, entry: object) -> Shot:
    if not isinstance(entry, Mapping):
        raise invalid_value(f"multi_prompt[{place - 1}]", entry)
    index = entry.get("index")
    if isinstance(index, bool) or index != place:
        raise invalid_value(f"multi_prompt[{place - 1}].index", index)
    words = text(entry, "prompt", SHOT_PROMPT_LIMIT)
    if not words.strip():
        raise invalid(f"multi_prompt[{place - 1}].prompt cannot be empty")
    length = entry.get("duration")
    if not isinstance(length, str) or not re.fullmatch(r"[1-9]\d?", length):
        raise invalid_value(f"multi_prompt[{place - 1}].duration", length)
    return Shot(words, int(length))


def _camera(
    product: str, body: Mapping[str, Any], model: Model, mode: str, seconds: int, ignored: list[str]
) -> Camera | None:
    value = body.get("camera_control")
    if value is None:
        return None
    camera = _camera_shape(value)
    if not model.camera:
        # A model without the field: Kling takes it without a word and does nothing with it.
        ignored.append("camera_control")
        return None
    if (product, mode, seconds) not in model.camera:
        raise invalid("camera_control is not supported by the current model, mode and duration")
    if model.camera_simple_only and camera.type != "simple":
        raise invalid_value("camera_control.type", camera.type)
    return camera


def _camera_shape(value: object) -> Camera:
    if not isinstance(value, Mapping):
        raise invalid_value("camera_control", value)
    kind = value.get("type")
    if kind not in CAMERA_TYPES:
        raise invalid_value("camera_control.type", kind)
    config = value.get("config")
    if kind != "simple":
        if config is not None:
            raise invalid("camera_control.config must be empty unless camera_control.type is 'simple'")
        return Camera(kind)
    if not isinstance(config, Mapping) or not set(config) <= set(AXES):
        raise invalid_value("camera_control.config", config)
    axes = {name: number(f"camera_control.config.{name}", config.get(name, 0), -10, 10) for name in AXES}
    if sum(amount != 0 for amount in axes.values()) != 1:
        raise invalid("camera_control.config needs exactly one value that is not 0")
    return Camera(kind, **axes)
