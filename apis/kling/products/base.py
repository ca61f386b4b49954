"""What a product of Kling's is to the rest of the pack.

A product is one module in this folder and one row in ``PRODUCTS``. Everything particular to it is said there:
the fields a user may set, what makes a request impossible, what it costs, how long it takes, and how it is
said in each dialect it is sold in. Nothing outside asks which product it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel

from ..draft import Draft
from ..models import DialectLimits, DialectName, ModelSpec, ModelTable
from ..phrasing import listed
from ..problem import Problem
from ..request import KlingRequest
from ..schema import Part

R = TypeVar("R", bound=KlingRequest)


@dataclass(frozen=True)
class Price:
    """Kling's units, and the same in US dollars at the list price of a unit."""

    units: float
    usd: float

    def __str__(self) -> str:
        """Return both for people: ``1.5 units ($0.21)``."""
        return f"{self.units:g} units (${self.usd:.2f})"


def price_of(units: float, table: ModelTable) -> Price:
    """Return the price of so many units.

    Sums of decimal rates are rounded: else 0.3 x 5 would be shown and compared as 1.4999999999999998.
    """
    rounded = round(units, 6)
    return Price(units=rounded, usd=round(rounded * table.usd_per_unit, 6))


class Product(ABC, Generic[R]):
    """One thing that Kling sells. Its methods are pure; ``R`` is the class of its requests."""

    #: Kling's own name: it stands in every take's hash and in the journal, so it never changes
    name: ClassVar[str]
    #: the class of its requests
    request: ClassVar[type[KlingRequest]]
    #: where its tasks are made and found under ``/v1/``; None where the product is not sold there
    legacy_path: ClassVar[str | None] = None
    #: where they are made in the new standard, before the model's name; None likewise
    standard_path: ClassVar[str | None] = None
    #: the fields that stand in a take whatever their value; a field added later is left out at its default
    always_in_take: ClassVar[frozenset[str]]
    #: the widgets that decide the price, by the names of the node inputs
    priced_by: ClassVar[tuple[str, ...]]

    # -- which model -----------------------------------------------------------------------------------

    def model_name(self, draft: Draft) -> str | None:
        """Return the model that is asked for, or None where it is not known."""
        return draft.text("model_name")

    @property
    def paths(self) -> dict[DialectName, str]:
        """Where its tasks are made, by the dialects it is sold in."""
        both: dict[DialectName, str | None] = {"legacy": self.legacy_path, "standard": self.standard_path}
        return {dialect: path for dialect, path in both.items() if path is not None}

    def dialects(self, spec: ModelSpec) -> list[DialectName]:
        """Return the dialects that have both product and model, the one that the model prefers first.

        Where there are none, they are the model's own: it is refused as one that can't make the product.
        """
        known = list(dict.fromkeys((spec.preferred, *spec.dialects)))
        return [name for name in known if name in self.paths] or known

    def lack_of(self, spec: ModelSpec) -> str | None:
        """Return what an entry of the model table lacks to be made with this product, or None."""
        if not set(self.paths) & set(spec.dialects):
            return f"dialects lacks {listed(list(self.paths), 'or')}, and {self.name} needs it"
        return None

    # -- the take --------------------------------------------------------------------------------------

    def canonical(self, request: R, spec: ModelSpec | None = None) -> dict[str, Any]:
        """Return what names the take: the product and every field that is set, as JSON-able values.

        With ``spec`` a field that this model never receives counts as at its default: moving it buys nothing.
        Without, it counts as it is, as in version 0.1. This must give the same answer for ever: another one
        means that what is paid for is bought again.
        """
        found: dict[str, Any] = {"product": self.name}
        for name, info in type(request).model_fields.items():
            value = self.value_in_take(request, name, spec)
            if value is None or value == () or (name not in self.always_in_take and value == info.default):
                continue
            found[name] = _as_json(value)
        return found

    def value_in_take(self, request: R, field: str, spec: ModelSpec | None) -> Any:
        """Return the value of a field as it counts in the take; None where it makes no difference."""
        return getattr(request, field)

    # -- what can't be done ----------------------------------------------------------------------------

    def problems(self, draft: Draft, table: ModelTable, dialect: DialectName | None = None) -> list[Problem]:
        """Return everything that keeps a draft from being sent, most important first.

        ``dialect`` is the one it will be sent in; by default the first of ``dialects``.
        """
        found = list(self.general_problems(draft, table))
        name = self.model_name(draft)
        if name is None:
            return found
        spec = table.get(name)
        if spec is None:
            text = f"model_name: there is no model {name} in the table. Choose {self.living(table)}."
            if table.warning:  # the model may be in the user's own table, which could not be read
                text += f" {table.warning}"
            return [Problem("model_name", text), *found]
        refused = list(self.model_problems(draft, spec, table, dialect or self.dialects(spec)[0]))
        if refused and (other := self._another_model(draft, table, spec.name)):
            # Said once, at the end: the other model would do away with all of them.
            refused[-1] = replace(refused[-1], text=f"{refused[-1].text} Or choose model_name {other}.")
        return [*found, *refused]

    @abstractmethod
    def general_problems(self, draft: Draft, table: ModelTable) -> Iterator[Problem]:
        """Yield what breaks the rules that are the same for every model."""

    @abstractmethod
    def model_problems(
        self, draft: Draft, spec: ModelSpec, table: ModelTable, dialect: DialectName
    ) -> Iterator[Problem]:
        """Yield what this model can't do, most important first."""

    def living(self, table: ModelTable, last: str = "or") -> str:
        """Return the models to choose from, as a list in words."""
        return listed(table.living(self.name), last)

    def fits_instead(self, spec: ModelSpec, draft: Draft) -> bool:
        """Return whether a model may be named as the one to choose instead."""
        return spec.living

    def _another_model(self, draft: Draft, table: ModelTable, name: str) -> str | None:
        """Return the first model that could do all of it."""
        for spec in table.specs.values():
            if spec.name != name and self.fits_instead(spec, draft):
                other = replace(draft, values={**draft.values, "model_name": spec.name})
                if not any(self.model_problems(other, spec, table, self.dialects(spec)[0])):
                    return spec.name
        return None

    # -- what it costs and how long it takes -----------------------------------------------------------

    @abstractmethod
    def price(self, draft: Draft, spec: ModelSpec, table: ModelTable) -> Price | None:
        """Return the price, or None where the table has none, or too little is known."""

    def price_in_words(self, draft: Draft, spec: ModelSpec, table: ModelTable) -> str:
        """Return the price for a badge; nothing where there is none."""
        price = self.price(draft, spec, table)
        return str(price) if price else ""

    def badge(self, widgets: Mapping[str, str], table: ModelTable) -> str:
        """Return the price of a take with these widgets in a few words; nothing where there is none."""
        known = {name: widgets[name] for name in self.priced_by if widgets.get(name)}
        draft = Draft.of_widgets(self.request, known)
        spec = table.get(self.model_name(draft))
        if spec is None or self.problems(draft, table):
            return ""  # what can't be made has no price
        return self.price_in_words(draft, spec, table)

    @abstractmethod
    def typical_seconds(self, request: R, spec: ModelSpec) -> float:
        """Return how long Kling usually takes, in seconds."""

    @abstractmethod
    def timing_key(self, request: R, spec: ModelSpec) -> str:
        """Return what the time to make it depends on, as one text: equal keys take equally long."""

    # -- how it is said --------------------------------------------------------------------------------

    def as_sent(self, request: R, spec: ModelSpec, dialect: DialectName) -> R:
        """Return the request in the form that this dialect can say; the given one is not changed."""
        return request

    def notes(self, request: R, sent: R, spec: ModelSpec, dialect: DialectName) -> list[str]:
        """Return what the artist should know about a request that can be sent all the same."""
        return []

    def note_pictures(self, request: R) -> list[str]:
        """Return what was done to the pictures of a request, each with the input it came from."""
        found = []
        for field in type(request).model_fields:
            value = getattr(request, field)
            for part in value if isinstance(value, tuple) else (value,):
                if note := getattr(part, "note", ""):
                    found.append(f"{request.widget_of(field)}: {note}")
        return found

    def media_limits(self, table: ModelTable, dialect: DialectName) -> DialectLimits:
        """Return how large the pictures of a request may be."""
        return table.limits[dialect]

    def legacy_body(self, request: R, spec: ModelSpec) -> BaseModel:
        """Return the body under ``/v1/``, without the external task id.

        The request must have passed ``problems`` and ``as_sent``. Raises ValueError where the dialect can't
        say it.
        """
        raise ValueError(f"{self.name} has no body under /v1/.")

    def standard_body(self, request: R, spec: ModelSpec) -> BaseModel:
        """Return the body in the new standard, without the external task id; raises ValueError likewise."""
        raise ValueError(f"{self.name} has no body in the new standard.")


def _as_json(value: Any) -> Any:
    if isinstance(value, Part):
        return value.in_take()
    if isinstance(value, tuple):
        return [_as_json(entry) for entry in value]
    if isinstance(value, float):
        return value + 0.0  # -0.0 and 0.0 are one number and must be one take
    return cast(Any, value)


def without(
    widget: str,
    does: str,
    undo: str,
    capability: str,
    spec: ModelSpec,
    circumstances: Mapping[str, object],
    widgets: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield a problem where the model lacks the capability, or has it only under other circumstances.

    ``widgets`` names the input to change for each circumstance that one can change.
    """
    if spec.allows(capability, circumstances):
        return
    conditions = spec.conditions(capability)
    then = f"{undo[:1].upper()}{undo[1:]}."
    if not conditions:
        yield Problem(widget, f"{widget}: {spec.name} never {does}. {then}")
        return
    nearest = min(conditions, key=lambda condition: len(condition.misses(circumstances)))
    part = nearest.misses(circumstances)[0]
    if part not in widgets:
        yield Problem(widget, f"{widget}: {spec.name} never {does} here. {then}")
        return
    name, now = widgets[part], circumstances[part]
    choice = listed([str(value) for value in nearest.allowed()[part]], "or")
    change = f"Set {name} to {choice}" + (f", or {undo}" if undo else "")
    yield Problem(name, f"{name}: {spec.name} {does} only with {name} {choice}, not with {now}. {change}.")
