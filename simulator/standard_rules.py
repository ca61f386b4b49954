"""The rules of the new design standard: model in the path, `prompt` or `contents`, `settings`, `options`.

Pure. Top-level fields that the endpoint does not know are dropped in silence, as the real API does it; an
unknown key inside `settings` is refused, the strict reading of what no document says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import images
from .answers import Refusal, invalid, invalid_value
from .catalog import IMAGE2VIDEO, RESOLUTIONS, STANDARD, TEXT2VIDEO, Model
from .order import Order, Shot
from .rules import ASPECT_RATIOS, SHOT_COUNT, SHOT_PROMPT_LIMIT, choice, external_id, flag, text, watermark

CONTENTS_PROMPT_LIMIT = 2500  # characters
FIELDS = {
    TEXT2VIDEO: frozenset({"prompt", "settings", "options"}),
    IMAGE2VIDEO: frozenset({"contents", "settings", "options"}),
}
CONTENT_TYPES = ("prompt", "first_frame", "last_frame", "element", "voice")
_SHOT_START = re.compile(r"\s*shot\s+\d+\s*,", re.IGNORECASE)
_SHOT = re.compile(r"\s*shot\s+(\d+)\s*,\s*(\d+)\s*,\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)


def check(product: str, name: str, body: Mapping[str, Any], *, extra_models: tuple[Model, ...] = ()) -> Order:
    """Return the order in a create body for model `name`, or raise Refusal with Kling's code and message."""
    model = (STANDARD | {extra.standard: extra for extra in extra_models}).get(name)
    if model is None or product not in model.products:
        raise Refusal(1203, f"model '{name}' does not exist")
    ignored = [key for key in body if key not in FIELDS[product]]
    settings, options = _object(body, "settings"), _object(body, "options")
    mode, seconds = _resolution(settings, model), _seconds(settings, model)
    _known_settings(product, settings, model)
    sound = _audio(settings, model, mode)
    multi = model.shots and (flag(settings, "multi_shot", True))
    start = end = None
    unreachable = voices = False
    if product == TEXT2VIDEO:
        prompt = text(body, "prompt", model.text_limit)
        if not prompt.strip():
            raise invalid("prompt cannot be empty")
    else:
        prompt, frames, voices = _contents(body, model, sound)
        start, end, unreachable = _frames(frames, model, mode, seconds, sound)
    return Order(
        product=product,
        model=name,
        prompt=prompt,
        mode=mode,
        seconds=seconds,
        aspect_ratio=choice(settings, "aspect_ratio", ASPECT_RATIOS, "16:9") if product == TEXT2VIDEO else "",
        sound=sound,
        voices=voices,
        shots=_shots(prompt, seconds) if multi else (),
        start=start,
        end=end,
        unreachable_media=unreachable,
        watermark=watermark(options, "watermark_info"),
        external_task_id=external_id(options),
        ignored=tuple(ignored),
    )


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid_value(name, value)
    return value


def _known_settings(product: str, settings: Mapping[str, Any], model: Model) -> None:
    known = {"resolution", "duration"}
    if product == TEXT2VIDEO:
        known.add("aspect_ratio")
    if model.sound_modes:
        known.add("audio")
    if model.shots and not model.sound_always:
        known.add("multi_shot")
    for name in settings:
        if name not in known:
            raise invalid(f"settings.{name} is not supported by the current model")


def _resolution(settings: Mapping[str, Any], model: Model) -> str:
    value = settings.get("resolution", "720p")
    if not isinstance(value, str) or RESOLUTIONS.get(value) not in model.modes:
        raise invalid_value("video resolution", value)
    return RESOLUTIONS[value]


def _seconds(settings: Mapping[str, Any], model: Model) -> int:
    value = settings.get("duration", 5)
    if isinstance(value, bool) or not isinstance(value, int) or value not in model.durations:
        raise invalid_value("duration", value)
    return value


def _audio(settings: Mapping[str, Any], model: Model, mode: str) -> bool:
    value = settings.get("audio", "off")
    if value == "original":
        raise invalid("audio mode 'original' is not supported by the current model")
    if value not in ("native", "off"):
        raise invalid_value("audio", value)
    if value == "native" and mode not in model.sound_modes:
        raise invalid("audio mode 'native' is not supported by the current model and resolution")
    return model.sound_always or value == "native"


def _contents(body: Mapping[str, Any], model: Model, sound: bool) -> tuple[str, dict[str, str], bool]:
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise invalid("contents cannot be empty")
    prompts: list[str] = []
    frames: dict[str, str] = {}
    voices = 0
    for place, item in enumerate(contents):
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind not in CONTENT_TYPES:
            raise invalid(f"contents[{place}].type value '{kind}' is invalid")
        if kind == "prompt":
            prompts.append(text(item, "text", CONTENTS_PROMPT_LIMIT))
        elif kind in ("first_frame", "last_frame"):
            url = text(item, "url", None)
            if not url.strip():
                raise invalid(f"content item of type '{kind}' must have a non-blank url")
            if kind in frames:
                raise invalid(f"contents can hold one item of type '{kind}'")
            frames[kind] = url
        elif kind == "voice":
            voices += 1
            if voices > model.voices or not sound:
                raise invalid("content item of type 'voice' is not supported by the current model and audio")
        elif not model.elements:
            raise invalid("content item of type 'element' is not supported by the current model")
        else:
            # The simulator's account owns no element, so every id is unknown.
            raise invalid(f"Element id not found: {item.get('element_id')}")
    if len(prompts) != 1 or not prompts[0].strip():
        raise invalid("content item of type 'prompt' must have non-blank text")
    return prompts[0], frames, bool(voices)


def _frames(
    frames: Mapping[str, str], model: Model, mode: str, seconds: int, sound: bool
) -> tuple[bytes | None, bytes | None, bool]:
    if "first_frame" not in frames:
        raise invalid("content item of type 'first_frame' is required")
    if "last_frame" in frames:
        if (mode, seconds) not in model.tails:
            raise invalid(
                "content item of type 'last_frame' is not supported by the current model and resolution"
            )
        if sound and not model.tail_with_sound:
            raise invalid("content item of type 'last_frame' is not supported with audio")
    if any(images.is_url(value) for value in frames.values()):
        return None, None, True
    read = {name: images.read_image(name, value, images.STANDARD_BYTES) for name, value in frames.items()}
    return read.get("first_frame"), read.get("last_frame"), False


def _shots(prompt: str, seconds: int) -> tuple[Shot, ...]:
    """Read "shot n, m, words; shot n, m, words;": shot number, seconds, words."""
    if not _SHOT_START.match(prompt):
        return ()
    pieces = re.split(r";(?=\s*(?:shot\s+\d+\s*,|$))", prompt, flags=re.IGNORECASE)
    shots: list[Shot] = []
    for piece in filter(str.strip, pieces):
        match = _SHOT.fullmatch(piece)
        if match is None or int(match[1]) != len(shots) + 1 or int(match[2]) < 1:
            raise invalid("the shots of the prompt are not in the form 'shot n, m, words;'")
        if not match[3] or len(match[3]) > SHOT_PROMPT_LIMIT:
            raise invalid(f"the words of a shot must have 1 to {SHOT_PROMPT_LIMIT} characters")
        shots.append(Shot(match[3], int(match[2])))
    if not 1 <= len(shots) <= SHOT_COUNT or sum(shot.seconds for shot in shots) != seconds:
        raise invalid(f"1 to {SHOT_COUNT} shots are possible, and their seconds must add up to duration")
    return tuple(shots)
