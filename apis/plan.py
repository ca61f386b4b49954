"""One run, decided: whoever holds a ``Plan`` never checks again. Pure.

A route says which model is asked for and in which dialect this credential reaches it; media are packed
within its limits. The plan then holds everything that follows from the request: its body, price, notes and
take.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from . import errors
from .kling import dialects
from .kling.dialects import CredentialKind, Dialect
from .kling.draft import Draft
from .kling.endpoint import ApiEndpoint
from .kling.models import DialectLimits, ModelSpec, ModelTable
from .kling.products import PRODUCTS
from .kling.products.base import Price, Product
from .kling.request import KlingRequest
from .take import take_id, take_number


@dataclass(frozen=True)
class Route:
    """How a credential reaches the model that is asked for."""

    product: Product[Any]
    spec: ModelSpec
    dialect: Dialect
    #: how large the media may be
    limits: DialectLimits
    #: None where the model table has none, or too little is known
    price: Price | None


@dataclass(frozen=True)
class Plan:
    """A checked request, and everything that follows from it."""

    #: Kling's name of what is bought, and of the model that makes it
    product: str
    model: str
    dialect: Dialect
    #: the take's hash, and those under which earlier versions bought the very same
    take: str
    former_takes: tuple[str, ...]
    #: None where the model table has no price for it
    price: Price | None
    #: what the artist should know, the price first
    notes: tuple[str, ...]
    #: seconds that Kling usually takes, where nothing better is known
    typical_seconds: float
    #: tasks of equal keys take equally long
    timing_key: str
    endpoint: ApiEndpoint[BaseModel, Any]
    _body: BaseModel = field(repr=False)

    def body(self, external_task_id: str | None) -> BaseModel:
        """Return the create's body under our own id; None where none may be sent."""
        return self.dialect.stamped(self._body, external_task_id)


def route(product: Product[Any], draft: Draft, table: ModelTable, credential: CredentialKind) -> Route:
    """Return the model that a draft asks for and the dialect in which this credential reaches it.

    Raises InvalidInput where there is no such model, or none that this credential reaches.
    """
    spec = table.get(product.model_name(draft))
    if spec is None:
        errors.refuse(product.problems(draft, table))
        raise errors.InvalidInput("model_name: it is not known. Choose one.", widget="model_name")
    try:
        dialect = dialects.choose(product, spec, credential)
    except ValueError as error:
        raise errors.InvalidInput(f"model_name: {error}", widget="model_name") from None
    price = product.price(draft, spec, table)
    return Route(product, spec, dialect, product.media_limits(table, dialect.name), price)


def make_plan(
    request: KlingRequest,
    number: object,
    table: ModelTable,
    credential: CredentialKind,
    chosen: Route | None = None,
) -> Plan:
    """Check a request once and decide everything about its take of this number, however a link gives it.

    ``chosen`` is its route where media had to be packed for it; else it is found here. Raises InvalidInput
    naming the widget, before anything is sent.
    """
    whole_number = take_number(number)
    product, draft = PRODUCTS[request.product], Draft.of_request(request)
    way = chosen or route(product, draft, table, credential)
    spec, dialect = way.spec, way.dialect
    errors.refuse(product.problems(draft, table, dialect.name))
    sent = product.as_sent(request, spec, dialect.name)
    body = dialect.body(product, sent, spec)
    # Version 0.1 hashed the number as it was given, and every field whether the model receives it or not.
    take, *former = dict.fromkeys(
        take_id(canonical, each)
        for canonical in (product.canonical(request, spec), product.canonical(request))
        for each in (whole_number, number)
    )
    return Plan(
        product=product.name,
        model=spec.name,
        dialect=dialect,
        take=take,
        former_takes=tuple(former),
        price=way.price,
        notes=(
            _price_note(way.price, spec),
            *([table.warning] if table.warning else []),
            *product.note_pictures(request),
            *_model_notes(product, spec, table),
            *product.notes(request, sent, spec, dialect.name),
        ),
        typical_seconds=product.typical_seconds(request, spec),
        timing_key=product.timing_key(request, spec),
        endpoint=dialect.create(product, spec, body),
        _body=body,
    )


def _price_note(price: Price | None, spec: ModelSpec) -> str:
    if price is None:
        return f"The price of {spec.name} in this setting is not in the model table."
    return f"Estimated price: {price}."


def _model_notes(product: Product[Any], spec: ModelSpec, table: ModelTable) -> list[str]:
    found = []
    if spec.retired_on is not None:
        found.append(
            f"{spec.name} was retired by Kling on {spec.retired_on} and will most likely be refused, "
            f"which costs nothing. Living models: {product.living(table, 'and')}."
        )
    if spec.note:
        found.append(spec.note)
    return found
