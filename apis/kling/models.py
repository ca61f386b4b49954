"""What each model can do, how long a picture or prompt may be, and what it costs: the form of that data.

Kling adds and retires models every few months, so all of it is data, read by ``model_file``. A capability
is a name and the circumstances under which the model has it. A product is such a name too, so a model may
have capabilities of products that this version has never heard of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .schema import Exact

DialectName = Literal["legacy", "standard"]
Switch = Literal["on", "off"]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Choices = tuple[str | int | float | bool, ...]

#: What a condition may ask about, by its name in the file and the name of the circumstance.
_PARTS = {
    "products": "product",
    "dialects": "dialect",
    "modes": "mode",
    "durations": "duration",
    "sound": "sound",
    "camera_types": "camera_type",
}


class Condition(Exact):
    """One set of circumstances; a part that is left out holds always."""

    products: tuple[Text, ...] | None = None
    dialects: tuple[DialectName, ...] | None = None
    modes: tuple[Text, ...] | None = None
    durations: tuple[Count, ...] | None = None
    sound: Switch | None = None
    camera_types: tuple[Text, ...] | None = None
    #: any other field of a request, with the values for which this holds
    fields: dict[Text, Choices] = Field(default_factory=dict)

    def allowed(self) -> dict[str, tuple[object, ...]]:
        """Return the values that each part allows, by the name of the circumstance."""
        found: dict[str, tuple[object, ...]] = {}
        for part, circumstance in _PARTS.items():
            value = getattr(self, part)
            if value is not None:
                found[circumstance] = value if isinstance(value, tuple) else (value,)
        return {**found, **self.fields}

    def misses(self, circumstances: Mapping[str, object]) -> list[str]:
        """Return the circumstances that don't fit; one that is absent or None is not known, and fits."""
        return [
            name
            for name, values in self.allowed().items()
            if circumstances.get(name) is not None and circumstances[name] not in values
        ]


class Rate(Exact):
    """Kling's units for one second or for one result; what is left out makes no difference to it."""

    mode: Text | None = None
    sound: Switch | None = None
    fields: dict[Text, Choices] = Field(default_factory=dict)
    units_per_second: Amount | None = None
    units_each: Amount | None = None

    @model_validator(mode="after")
    def _has_one_amount(self) -> Rate:
        if (self.units_per_second is None) == (self.units_each is None):
            raise ValueError("a price has either units_per_second or units_each")
        return self

    def holds(self, circumstances: Mapping[str, object]) -> bool:
        """Return whether this is the rate under these circumstances."""
        wanted = {"mode": self.mode, "sound": self.sound}
        return all(
            value is None or value == circumstances.get(name) for name, value in wanted.items()
        ) and all(circumstances.get(name) in values for name, values in self.fields.items())


class Wait(Exact):
    """How long Kling usually takes, in seconds: base + per_second x length."""

    base: Amount
    per_second: Amount


class DialectLimits(Exact):
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
    dialects: dict[DialectName, Text] = Field(min_length=1)
    preferred: DialectName
    retired_on: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    modes: tuple[Text, ...] = ()
    durations: tuple[Count, ...] = ()
    aspect_ratios: tuple[Annotated[str, Field(pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")], ...] = ()
    capabilities: dict[Text, tuple[Condition, ...]] = Field(default_factory=dict)
    sound_always: bool = False
    #: most characters of a prompt, by dialect and product
    prompt_characters: dict[DialectName, dict[Text, Count]] = Field(default_factory=dict)
    standard_settings: tuple[Text, ...] = ()
    prices: tuple[Rate, ...] = ()
    wait: dict[Text, Wait] = Field(min_length=1)
    wait_with_sound: Annotated[float, Field(ge=1)] = 1.0
    note: str = ""
    source: Text
    as_of: Text

    @model_validator(mode="before")
    @classmethod
    def _gather_capabilities(cls, entry: Any) -> Any:
        """Move capabilities that stand beside the fields, as in files of version 0.1, to their place."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("capabilities", {}), Mapping):
            return entry
        beside = {
            name: value
            for name, value in entry.items()
            if name not in cls.model_fields and is_capability(value)
        }
        if not beside:
            return entry
        kept = {name: value for name, value in entry.items() if name not in beside}
        return {**kept, "capabilities": {**entry.get("capabilities", {}), **beside}}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> ModelSpec:
        if self.preferred not in self.dialects:
            raise ValueError(f"preferred is {self.preferred}, which dialects does not name")
        if self.sound_always and not (self.can("sound") and all(rate.sound == "on" for rate in self.prices)):
            raise ValueError("sound_always needs a condition in sound, and prices with sound on only")
        if missing := [mode for mode in self.modes if mode not in self.wait]:
            raise ValueError(f"wait has no entry for mode {missing[0]}")
        return self

    @property
    def living(self) -> bool:
        """Whether Kling still offers the model."""
        return self.retired_on is None

    def can(self, capability: str) -> bool:
        """Return whether the model has the capability under any circumstances."""
        return bool(self.conditions(capability))

    def conditions(self, capability: str) -> tuple[Condition, ...]:
        """Return the circumstances under which the model has the capability: any one of them will do."""
        return self.capabilities.get(capability, ())

    def allows(self, capability: str, circumstances: Mapping[str, object]) -> bool:
        """Return whether the model has the capability under these circumstances, as far as they are known."""
        return any(not condition.misses(circumstances) for condition in self.conditions(capability))

    def makes_sound(self, sound: str | None) -> bool:
        """Return whether a request with this ``sound`` gives a video with sound."""
        return self.sound_always or sound == "on"

    def rate(self, circumstances: Mapping[str, object]) -> Rate | None:
        """Return the first rate that holds, or None where the table has no price."""
        return next((rate for rate in self.prices if rate.holds(circumstances)), None)

    def typical_seconds(self, mode: str | None, length: float, *, sound: bool) -> float:
        """Return how many seconds Kling usually takes for a result of ``length`` seconds: a first guess."""
        wait = self.wait.get(mode or "") or next(iter(self.wait.values()))
        return (wait.base + wait.per_second * length) * (self.wait_with_sound if sound else 1.0)


def is_capability(value: object) -> bool:
    """Return whether a value in the file has the form of a capability: a list of conditions."""
    return isinstance(value, list | tuple) and all(isinstance(part, Mapping | Condition) for part in value)


@dataclass(frozen=True)
class ModelTable:
    """All models that can be chosen, living ones first."""

    specs: Mapping[str, ModelSpec]
    limits: Mapping[DialectName, DialectLimits]
    shot_limits: ShotLimits
    usd_per_unit: float
    #: A sentence about a user's file that could not be used, or None.
    warning: str | None = None

    def get(self, name: str | None) -> ModelSpec | None:
        """Return the model of this name, or None."""
        return self.specs.get(name) if name is not None else None

    def having(self, *capabilities: str) -> list[ModelSpec]:
        """Return the models that have all of these: living first, then retired ones."""
        return [spec for spec in self.specs.values() if all(spec.can(name) for name in capabilities)]

    def names(self, *capabilities: str) -> list[str]:
        """Return the names of the models that have all of these."""
        return [spec.name for spec in self.having(*capabilities)]

    def living(self, *capabilities: str) -> list[str]:
        """Return the names of those that Kling still offers."""
        return [spec.name for spec in self.having(*capabilities) if spec.living]

    def modes(self, *capabilities: str) -> list[str]:
        """Return every mode that some of these models has."""
        return _gathered(spec.modes for spec in self.having(*capabilities))

    def durations(self, *capabilities: str) -> list[str]:
        """Return every length that some of these makes, as Kling writes it ("5"), shortest first."""
        lengths = {length for spec in self.having(*capabilities) for length in spec.durations}
        return [str(length) for length in sorted(lengths)]

    def aspect_ratios(self, *capabilities: str) -> list[str]:
        """Return every aspect ratio that some of these makes."""
        return _gathered(spec.aspect_ratios for spec in self.having(*capabilities))


def _gathered(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(value for group in groups for value in group))
