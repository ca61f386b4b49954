"""The rules of legacy text2video and image2video: a request body becomes an order, or a refusal.

Pure. Each rule is Kling's (Kling docs 2026-03 with later updates); where Kling's answer is not known or
sources disagree, the strict reading refuses. A field that Kling documents as ignored, or that it is known to
drop in silence, is dropped here too and named in `Order.ignored`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import images
from .answers import invalid, invalid_value
from .catalog import IMAGE2VIDEO, LEGACY, LEGACY_DEFAULT, TEXT2VIDEO, Model
from .order import Camera, Order, Shot

PROMPT_LIMIT = 2500  # characters, also of negative_prompt
SHOT_PROMPT_LIMIT = 512  # characters
SHOT_COUNT = 6
ASPECT_RATIOS = ("16:9", "9:16", "1:1")
AXES = ("horizontal", "vertical", "pan", "tilt", "roll", "zoom")
CAMERA_TYPES = ("simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward")
#: Not documented; what clients are known to use with success.
EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
VOICE_MARK = re.compile(r"<<<voice_\d+>>>")
_COMMON = frozenset(
    {"model_name", "prompt", "negative_prompt", "multi_shot", "shot_type", "multi_prompt", "sound"}
    | {
        "cfg_scale",
        "mode",
        "camera_control",
        "duration",
        "watermark_info",
        "callback_url",
        "external_task_id",
    }
)
FIELDS = {
    TEXT2VIDEO: _COMMON | {"aspect_ratio"},
    IMAGE2VIDEO: _COMMON
    | {"image", "image_tail", "element_list", "voice_list", "static_mask", "dynamic_masks"},
}


def check(
    product: str,
    body: Mapping[str, Any],
    *,
    retired_models: bool = False,
    extra_models: tuple[Model, ...] = (),
) -> Order:
    """Return the order in a legacy create body of `product` ("text2video" or "image2video").

    With `retired_models` the models that Kling switched off on 2026-09-15 are served by their old rules;
    `extra_models` are looked up first.
    Raises Refusal with Kling's code and message.
    """
    ignored = [name for name in body if name not in FIELDS[product]]
    model = _model(product, body, retired_models, extra_models)
    mode = choice(body, "mode", ("std", "pro", "4k"), "std")
    if not model.mode_field:
        mode = "std" if model.legacy == "kling-v2-master" else "pro"
        if "mode" in body:
            ignored.append("mode")
    elif mode not in model.modes:
        raise invalid_value("mode", mode)
    seconds = _seconds(body, model)
    sound = _sound(body, model, mode)
    _cfg_scale(body, model, ignored)
    shots = _shots(body, model, seconds, ignored)
    custom = bool(shots)
    prompt = text(body, "prompt", None if custom else PROMPT_LIMIT)
    if custom:
        if prompt:
            ignored.append("prompt")
        prompt = ""
    elif not prompt.strip():
        raise invalid("prompt cannot be empty")
    negative = text(body, "negative_prompt", PROMPT_LIMIT)
    camera = _camera(product, body, model, mode, seconds, ignored)
    start = end = None
    unreachable = voices = False
    if product == IMAGE2VIDEO:
        start, end, unreachable = _pictures(body, model, mode, seconds, sound)
        voices = _voices(body, model, mode, sound)
        _elements(body, model)
    if VOICE_MARK.search(prompt) and not voices:
        raise invalid("the prompt names a voice, but voice_list is empty or not supported")
    return Order(
        product=product,
        model=str(model.legacy),
        prompt=prompt,
        negative_prompt=negative,
        mode=mode,
        seconds=seconds,
        aspect_ratio=choice(body, "aspect_ratio", ASPECT_RATIOS, "16:9") if product == TEXT2VIDEO else "",
        sound=sound,
        voices=voices,
        shots=shots,
        camera=camera,
        start=start,
        end=end,
        unreachable_media=unreachable,
        watermark=watermark(body, "watermark_info"),
        external_task_id=external_id(body),
        ignored=tuple(ignored),
    )


def text(body: Mapping[str, Any], name: str, limit: int | None) -> str:
    """Return a string field, "" when it is missing or null; more than `limit` characters are refused."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_value(name, value)
    if limit is not None and len(value) > limit:
        raise invalid(f"{name} length cannot exceed {limit}")
    return value


def choice(body: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return a string field that is one of `allowed`; missing or null means `default`."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in allowed:
        raise invalid_value(name, value)
    return value


def flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean field; anything but true, false or nothing is refused."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid_value(name, value)
    return value


def external_id(body: Mapping[str, Any]) -> str | None:
    """Return the client's own id of the task, None when there is none."""
    value = body.get("external_task_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not EXTERNAL_ID.fullmatch(value):
        raise invalid_value("external_task_id", value)
    return value


def watermark(body: Mapping[str, Any], name: str) -> bool:
    """Tell whether a copy with a watermark is asked for; checks `callback_url` on the way."""
    text(body, "callback_url", None)
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, Mapping):
        raise invalid_value(name, value)
    return flag(value, "enabled", False)


def number(name: str, value: object, low: float, high: float) -> float:
    """Return a JSON number within `low`..`high`; a boolean or a string is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid_value(name, value)
    return float(value)


def _model(
    product: str, body: Mapping[str, Any], retired_models: bool, extra_models: tuple[Model, ...]
) -> Model:
    name = body.get("model_name") or LEGACY_DEFAULT
    known = LEGACY | {model.legacy: model for model in extra_models}
    if not isinstance(name, str) or name not in known:
        raise invalid_value("model_name", name)
    model = known[name]
    if product not in model.products or (model.retired and not retired_models):
        raise invalid("model is not supported")
    return model


def _seconds(body: Mapping[str, Any], model: Model) -> int:
    value = body.get("duration", "5")
    if not isinstance(value, str) or value not in {str(seconds) for seconds in model.durations}:
        raise invalid_value("duration", value)
    return int(value)


def _sound(body: Mapping[str, Any], model: Model, mode: str) -> bool:
    sound = choice(body, "sound", ("on", "off"), "off") == "on"
    if sound and mode not in model.sound_modes:
        raise invalid("sound value 'on' is not supported by the current model and mode")
    return sound


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
        # No model that lives has the field; Kling takes it without a word and does nothing with it.
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


def _pictures(
    body: Mapping[str, Any], model: Model, mode: str, seconds: int, sound: bool
) -> tuple[bytes | None, bytes | None, bool]:
    image, tail = text(body, "image", None), text(body, "image_tail", None)
    masks = any(body.get(name) for name in ("static_mask", "dynamic_masks"))
    if sum((bool(tail), masks, body.get("camera_control") is not None)) > 1:
        raise invalid("image_tail, dynamic_masks/static_mask and camera_control exclude each other")
    if masks:
        # The living models have no motion brush, and the simulator draws none for the old ones.
        raise invalid("dynamic_masks/static_mask is not supported by the current model")
    if not image and not (tail and model.tail_alone):
        raise invalid("image cannot be empty")
    if tail and (mode, seconds) not in model.tails:
        raise invalid("image_tail is not supported by the current model and mode")
    if tail and sound and not model.tail_with_sound:
        raise invalid("image_tail is not supported when sound is on")
    given = [(name, value) for name, value in (("image", image), ("image_tail", tail)) if value]
    if any(images.is_url(value) for _, value in given):
        return None, None, True
    read = {name: images.read_image(name, value, images.LEGACY_BYTES) for name, value in given}
    return read.get("image"), read.get("image_tail"), False


def _voices(body: Mapping[str, Any], model: Model, mode: str, sound: bool) -> bool:
    listed = body.get("voice_list")
    if not listed:
        return False
    if not isinstance(listed, list) or not model.voices or mode != "pro":
        raise invalid("voice_list is not supported by the current model and mode")
    if len(listed) > model.voices:
        raise invalid(f"voice_list can hold at most {model.voices} voices")
    if not sound:
        raise invalid("voice_list needs sound to be on")
    if not all(isinstance(entry, Mapping) and isinstance(entry.get("voice_id"), str) for entry in listed):
        raise invalid("Voice id not found")
    return True


def _elements(body: Mapping[str, Any], model: Model) -> None:
    listed = body.get("element_list")
    if not listed:
        return
    if not isinstance(listed, list) or not model.elements:
        raise invalid("element_list is not supported by the current model")
    if body.get("voice_list"):
        raise invalid("element_list and voice_list exclude each other")
    if len(listed) > model.elements:
        raise invalid(f"element_list can hold at most {model.elements} elements")
    # The simulator's account owns no element, so every id is unknown.
    first = listed[0].get("element_id") if isinstance(listed[0], Mapping) else listed[0]
    raise invalid(f"Element id not found: {first}")
