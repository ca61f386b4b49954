"""The rules that video products of the new design standard share: model in the path, `settings`, `options`.

Pure. Top-level fields that the endpoint does not know are dropped in silence, as the real API does it; an
unknown key inside `settings` is refused, the strict reading of what no document says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import prices
from .answers import invalid, invalid_value
from .fields import external_id, flag, part, watermark
from .model import RESOLUTIONS, Model
from .order import Shot, VideoOrder
from .rules import SHOT_COUNT, SHOT_PROMPT_LIMIT

FIELDS = frozenset({"settings", "options"})
_SHOT_START = re.compile(r"\s*shot\s+\d+\s*,", re.IGNORECASE)
_SHOT = re.compile(r"\s*shot\s+(\d+)\s*,\s*(\d+)\s*,\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Settings:
    """What `settings` asks of a video; `multi_shot` means that shots are read from the prompt."""

    mode: str
    seconds: int
    sound: bool
    multi_shot: bool


def read_settings(body: Mapping[str, Any], model: Model, own: frozenset[str] = frozenset()) -> Settings:
    """Return the settings of a create body; `own` are those that only this product has.

    Raises Refusal with Kling's code and message.
    """
    settings = part(body, "settings")
    mode, seconds = _resolution(settings, model), _seconds(settings, model)
    known = _known(model) | own
    for name in settings:
        if name not in known:
            raise invalid(f"settings.{name} is not supported by the current model")
    sound = _audio(settings, model, mode)
    return Settings(mode, seconds, sound, model.shots and flag(settings, "multi_shot", True))


def order(
    product: str,
    name: str,
    body: Mapping[str, Any],
    model: Model,
    settings: Settings,
    prompt: str,
    own_fields: frozenset[str],
) -> VideoOrder:
    """Return the order in a create body for the model that the path calls `name`."""
    options = part(body, "options")
    return VideoOrder(
        product,
        name,
        prompt,
        mode=settings.mode,
        seconds=settings.seconds,
        aspect_ratio="",
        sound=settings.sound,
        shots=_shots(prompt, settings.seconds) if settings.multi_shot else (),
        rate=prices.units_per_second(name, settings.mode, settings.sound, model),
        watermark=watermark(options),
        external_task_id=external_id(options),
        ignored=tuple(key for key in body if key not in FIELDS | own_fields),
    )


def _known(model: Model) -> frozenset[str]:
    if model.settings is not None:
        # Only some products choose a shape; they name the field as their own.
        return model.settings - {"aspect_ratio"}
    known = {"resolution", "duration"}
    if model.sound_modes:
        known.add("audio")
    if model.shots and not model.sound_always:
        known.add("multi_shot")
    return frozenset(known)


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
