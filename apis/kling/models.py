"""What each model can do, how long a picture or prompt may be, and what a second of it costs.

Kling adds and retires models every few months, so all of it is data: `models.json` beside this module,
and a file of the same form in the user's folder that adds models or changes entries. A price or limit is
written once, there, with its source. A user's file that is broken is named in `ModelTable.warning` and
left out as a whole; the built-in table stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from .requests import CameraType, Mode, Product, Sound
from .schema import Exact

Dialect = Literal["legacy", "standard"]
Feature = Literal[
    "text2video",
    "image2video",
    "end_frame",
    "end_frame_only",
    "camera_field",
    "sound",
    "voice",
    "shots",
    "cfg_scale",
    "negative_prompt",
]
Setting = Literal["resolution", "duration", "aspect_ratio", "audio", "multi_shot"]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]

BUILT_IN = Path(__file__).with_name("models.json")


class Condition(Exact):
    """One set of circumstances; a part that is left out holds always."""

    products: tuple[Product, ...] | None = None
    modes: tuple[Mode, ...] | None = None
    durations: tuple[Count, ...] | None = None
    sound: Sound | None = None
    dialects: tuple[Dialect, ...] | None = None
    camera_types: tuple[CameraType, ...] | None = None

    def misses(
        self,
        *,
        product: str | None = None,
        mode: str | None = None,
        duration: int | None = None,
        sound: str | None = None,
        dialect: str | None = None,
        camera_type: str | None = None,
    ) -> list[str]:
        """The parts that don't hold, by the names of the arguments; what is None is not known and holds."""
        parts: list[tuple[str, object, tuple[object, ...] | None]] = [
            ("product", product, self.products),
            ("dialect", dialect, self.dialects),
            ("mode", mode, self.modes),
            ("duration", duration, self.durations),
            ("sound", sound, None if self.sound is None else (self.sound,)),
            ("camera_type", camera_type, self.camera_types),
        ]
        return [
            name
            for name, value, allowed in parts
            if allowed is not None and value is not None and value not in allowed
        ]


class Price(Exact):
    """Video units for one second in one mode, with sound on or off."""

    mode: Mode
    sound: Sound
    units_per_second: Amount


class Wait(Exact):
    """How long Kling usually takes, in seconds: base + per_second x length."""

    base: Amount
    per_second: Amount


class Limits(Exact):
    """What one dialect allows for every model."""

    image_bytes: Count
    image_side: Count
    image_ratio: Annotated[float, Field(ge=1)]
    negative_characters: Annotated[int, Field(ge=0)]
    source: Text
    as_of: Text


class ShotLimits(Exact):
    """What Kling allows for the shots of one video."""

    most: Count
    characters: Count
    source: Text
    as_of: Text


class ModelSpec(Exact):
    """One model: its name in each dialect, what it can do under which conditions, price and usual wait."""

    name: Text
    title: Text
    dialects: dict[Dialect, Text] = Field(min_length=1)
    preferred: Dialect
    retired_on: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    modes: tuple[Mode, ...] = Field(min_length=1)
    durations: tuple[Count, ...] = Field(min_length=1)
    aspect_ratios: tuple[Annotated[str, Field(pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")], ...] = ()
    text2video: tuple[Condition, ...] = ()
    image2video: tuple[Condition, ...] = ()
    end_frame: tuple[Condition, ...] = ()
    end_frame_only: tuple[Condition, ...] = ()
    camera_field: tuple[Condition, ...] = ()
    sound: tuple[Condition, ...] = ()
    sound_always: bool = False
    voice: tuple[Condition, ...] = ()
    shots: tuple[Condition, ...] = ()
    cfg_scale: tuple[Condition, ...] = ()
    negative_prompt: tuple[Condition, ...] = ()
    prompt_characters: dict[Dialect, dict[Product, Count]]
    standard_settings: tuple[Setting, ...] = ()
    prices: tuple[Price, ...] = ()
    wait: dict[Mode, Wait]
    wait_with_sound: Annotated[float, Field(ge=1)] = 1.0
    note: str = ""
    source: Text
    as_of: Text

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> ModelSpec:
        if self.preferred not in self.dialects:
            raise ValueError(f"preferred is {self.preferred}, which dialects does not name")
        for dialect in self.dialects:
            for product in ("text2video", "image2video"):
                if getattr(self, product) and product not in self.prompt_characters.get(dialect, {}):
                    raise ValueError(f"prompt_characters has no number for {dialect} {product}")
        if "standard" in self.dialects:
            needed = {"resolution", "duration"}
            needed |= {"aspect_ratio"} if self.text2video else set()
            needed |= {"audio"} if self.sound and not self.sound_always else set()
            if lacking := sorted(needed - set(self.standard_settings)):
                raise ValueError(f"standard_settings lacks {lacking[0]}")
        if self.sound_always and not (self.sound and all(price.sound == "on" for price in self.prices)):
            raise ValueError("sound_always needs a condition in sound, and prices with sound on only")
        if missing := [mode for mode in self.modes if mode not in self.wait]:
            raise ValueError(f"wait has no entry for mode {missing[0]}")
        if self.text2video and not self.aspect_ratios:
            raise ValueError("aspect_ratios is empty, and text2video needs one")
        return self

    @property
    def living(self) -> bool:
        """Whether Kling still offers the model."""
        return self.retired_on is None

    @property
    def offered(self) -> bool:
        """Whether some node can make a video with it; the table also records models that none can."""
        return self.can("text2video") or self.can("image2video")

    def can(self, feature: Feature) -> bool:
        """Whether the model has the feature under any circumstances."""
        return bool(getattr(self, feature))

    def conditions(self, feature: Feature) -> tuple[Condition, ...]:
        """The circumstances under which the model has the feature: any one of them will do."""
        found: tuple[Condition, ...] = getattr(self, feature)
        return found

    def makes_sound(self, sound: Sound | None) -> bool:
        """Whether a request with this `sound` gives a video with sound."""
        return self.sound_always or sound == "on"

    def units_per_second(self, mode: Mode, sound: bool) -> float | None:
        """Video units for one second, or None where the table has no price."""
        wanted: Sound = "on" if sound else "off"
        for price in self.prices:
            if price.mode == mode and price.sound == wanted:
                return price.units_per_second
        return None

    def typical_seconds(
        self, mode: str, duration: int | str, sound: str | None = None, product: str = "text2video"
    ) -> float:
        """How long Kling usually takes for such a video, in seconds: a guess for first times."""
        known = {str(name): wait for name, wait in self.wait.items()}
        wait = known.get(mode) or next(iter(known.values()))
        found = wait.base + wait.per_second * int(duration)
        return found * (self.wait_with_sound if self.sound_always or sound == "on" else 1.0)


class TableFile(Exact):
    """The built-in file as a whole."""

    docs: tuple[str, ...] = ()
    usd_per_unit: Annotated[float, Field(gt=0)]
    usd_per_unit_source: Text
    usd_per_unit_as_of: Text
    limits: dict[Dialect, Limits]
    shot_limits: ShotLimits
    models: dict[str, ModelSpec]


@dataclass(frozen=True)
class ModelTable:
    """All models that can be chosen, living ones first."""

    specs: Mapping[str, ModelSpec]
    limits: Mapping[Dialect, Limits]
    shot_limits: ShotLimits
    usd_per_unit: float
    #: A sentence about a user's file that could not be used, or None.
    warning: str | None = None

    @staticmethod
    def load(user_file: Path | None = None) -> ModelTable:
        """The built-in table, with the entries of the user's file added where there is one.

        An entry under a known name replaces the fields it names and keeps the others; an entry under a new
        name must be whole.
        """
        raw, built_in = _built_in()
        if user_file is None:
            return built_in
        try:
            content = user_file.read_bytes()
        except FileNotFoundError:
            return built_in
        except OSError as error:
            return _with_warning(built_in, user_file, f"it can't be read ({error.strerror or error})")
        try:
            models = _merged(raw["models"], content)
        except _BrokenFile as error:
            return _with_warning(built_in, user_file, str(error))
        return ModelTable(
            _in_order(models), built_in.limits, built_in.shot_limits, built_in.usd_per_unit, warning=None
        )

    def get(self, name: str) -> ModelSpec | None:
        """The model of this name, or None."""
        return self.specs.get(name)

    def names(self, product: Product, feature: Feature | None = None) -> list[str]:
        """The models that make this product (and have this feature): living first, then retired ones."""
        return [spec.name for spec in self._having(product, feature)]

    def modes(self, product: Product, feature: Feature | None = None) -> list[str]:
        """Every mode that some model of this product has."""
        return _gathered(spec.modes for spec in self._having(product, feature))

    def durations(self, product: Product, feature: Feature | None = None) -> list[str]:
        """Every length that some model of this product makes, as Kling writes it ("5"), shortest first."""
        lengths = {length for spec in self._having(product, feature) for length in spec.durations}
        return [str(length) for length in sorted(lengths)]

    def aspect_ratios(self, product: Product, feature: Feature | None = None) -> list[str]:
        """Every aspect ratio that some model of this product makes."""
        return _gathered(spec.aspect_ratios for spec in self._having(product, feature))

    def _having(self, product: Product, feature: Feature | None) -> list[ModelSpec]:
        return [
            spec
            for spec in self.specs.values()
            if spec.can(product) and (feature is None or spec.can(feature))
        ]


class _BrokenFile(Exception):
    """Why a user's file can't be used; the text is the second half of a sentence."""


@lru_cache(maxsize=1)
def _built_in() -> tuple[dict[str, Any], ModelTable]:
    raw: dict[str, Any] = json.loads(BUILT_IN.read_text(encoding="utf-8"))
    for name, entry in raw["models"].items():
        entry["name"] = name
    file = TableFile.model_validate(raw)
    table = ModelTable(_in_order(file.models), file.limits, file.shot_limits, file.usd_per_unit)
    return raw, table


def _in_order(models: Mapping[str, ModelSpec]) -> dict[str, ModelSpec]:
    living = {name: spec for name, spec in models.items() if spec.living}
    return living | {name: spec for name, spec in models.items() if not spec.living}


def _merged(built_in: Mapping[str, Any], content: bytes) -> dict[str, ModelSpec]:
    try:
        raw = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _BrokenFile(f"byte {error.start + 1} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise _BrokenFile(f"line {error.lineno}, column {error.colno} is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise _BrokenFile("it is nested too deeply") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("models"), dict):
        raise _BrokenFile('it needs the form {"models": {"name": {...}}}')
    if unknown := sorted(set(raw) - {"models", "docs"}):
        raise _BrokenFile(f"it has the unknown field {unknown[0]}; only models and docs are read")
    entries = dict(built_in)
    for name, entry in raw["models"].items():
        if not isinstance(entry, dict):
            raise _BrokenFile(f"entry {name} must be an object in braces")
        entries[name] = {**built_in.get(name, {}), **entry, "name": name}
    return {name: _spec(name, entry) for name, entry in entries.items()}


def _spec(name: str, entry: Mapping[str, Any]) -> ModelSpec:
    try:
        return ModelSpec.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"entry {name}, field {field}" if field else f"entry {name}"
        raise _BrokenFile(f"{where}: {_in_plain_words(first['type'], first['msg'])}") from error


def _in_plain_words(kind: str, message: str) -> str:
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "there is no field of that name"
    return message.removeprefix("Value error, ").rstrip(".")


def _with_warning(table: ModelTable, file: Path, reason: str) -> ModelTable:
    text = (
        f"Your model table {file.name} is not used: {reason}. The built-in models stay as they are. "
        "Correct the file or remove it."
    )
    return ModelTable(table.specs, table.limits, table.shot_limits, table.usd_per_unit, warning=text)


def _gathered(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(value for group in groups for value in group))
