"""Requests, pictures and what becomes of them, for every test that needs some."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from kling_takes.apis.journal import Journal, Purchase, Row
from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.dialects import DIALECTS
from kling_takes.apis.kling.draft import Draft
from kling_takes.apis.kling.endpoint import ApiEndpoint
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.models import DialectName, ModelSpec, ModelTable
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.problem import Problem
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.apis.kling.products.base import Price
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.products.video import VideoRequest
from kling_takes.apis.kling.request import KlingRequest
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.apis.plan import make_plan

TABLE = load_table()


def picture(width: int = 640, height: int = 480, data: bytes = b"x" * 10, digit: str = "d") -> KlingImage:
    """A picture that nobody looks at; ``digit`` tells two apart."""
    return KlingImage(pixels_sha256=digit * 64, width=width, height=height, data=data, mime="image/png")


def text_request(**fields: Any) -> KlingText2VideoRequest:
    """A video from words, with some words where none are given."""
    return KlingText2VideoRequest(**{"prompt": "a fox", **fields})


def image_request(**fields: Any) -> KlingImage2VideoRequest:
    """A video from a picture, with both where none are given."""
    return KlingImage2VideoRequest(**{"prompt": "a fox", "image": picture(), **fields})


def problems(request: KlingRequest, dialect: Any = None, table: ModelTable = TABLE) -> list[Problem]:
    """What keeps a request from being sent."""
    return PRODUCTS[request.product].problems(Draft.of_request(request), table, dialect)


def widget_problems(
    product: str, values: dict[str, Any], linked: Any = (), table: ModelTable = TABLE
) -> list[Problem]:
    """What the widgets alone show to be impossible."""
    row = PRODUCTS[product]
    return row.problems(Draft.of_widgets(row.request, values, linked), table)


def price(request: KlingRequest, table: ModelTable = TABLE) -> Price | None:
    """What a request will cost; None also for a model that the table doesn't have."""
    product, draft = PRODUCTS[request.product], Draft.of_request(request)
    spec = table.get(product.model_name(draft))
    return product.price(draft, spec, table) if spec else None


def create(
    request: KlingRequest, spec: ModelSpec, dialect: str, external_task_id: str | None = None
) -> tuple[ApiEndpoint[BaseModel, Any], BaseModel]:
    """Where a request goes in a dialect, and its body."""
    product, form = PRODUCTS[request.product], DIALECTS[dialect]
    body = form.body(product, product.as_sent(request, spec, form.name), spec)
    return form.create(product, spec, body), form.stamped(body, external_task_id)


def purchase(take: str = "t1", **changes: Any) -> Purchase:
    """A purchase of 2.5 units, 0.35 USD, on the account ``kling:global``."""
    plain: dict[str, Any] = {
        "account": "kling:global",
        "take": take,
        "attempt": 1,
        "external_task_id": "kt-1",
        "practice": False,
        "product": "text2video",
        "dialect": "legacy",
        "model": "kling-v2-6",
        "kind": "k",
        "estimated_units": 2.5,
        "estimated_usd": 0.35,
    }
    return Purchase(**{**plain, **changes})


def only_row(journal: Journal) -> Row:
    """The latest attempt at the only take in a journal."""
    takes = {tuple(row) for row in journal.open().execute("SELECT account, take FROM tasks").fetchall()}
    row = journal.find(*takes.pop())
    assert row is not None
    assert not takes
    return row


def prepare(journal: Journal, bought: Purchase | None = None, now: float = 1000.0, **options: Any) -> Row:
    """The row of a create that is about to leave."""
    return journal.prepare(bought or purchase(), now=now, day_start=0.0, **options)


def shots(*lengths: int, words: str = "a fox") -> tuple[KlingShot, ...]:
    """Shots of these lengths in seconds, all with the same words."""
    return tuple(KlingShot(prompt=words, duration=length) for length in lengths)


def simple(**axes: float) -> KlingCameraControl:
    """A simple camera move along these axes."""
    return KlingCameraControl(config=KlingCameraConfig(**axes))


def widgets_of(found: Iterable[Problem]) -> list[str]:
    """The widgets that are named; each sentence must begin with its own."""
    named = list(found)
    assert all(problem.text.startswith(f"{problem.widget}: ") for problem in named)
    return [problem.widget for problem in named]


def canonical(request: KlingRequest) -> dict[str, Any]:
    """What names the take of a request."""
    return PRODUCTS[request.product].canonical(request)


def as_sent(request: VideoRequest, dialect: DialectName | None = None) -> VideoRequest:
    """The request in the form that its model takes, by default in the dialect that the model prefers."""
    spec = TABLE.specs[request.model_name]
    sent: VideoRequest = PRODUCTS[request.product].as_sent(request, spec, dialect or spec.preferred)
    return sent


def notes(request: KlingRequest) -> list[str]:
    """What the artist is told about a request that can be sent, but for its price."""
    price_note, *others = make_plan(request, 0, TABLE, "api_key").notes
    assert price_note.startswith(("Estimated price: ", "The price of "))
    return others


def body_of(
    request: KlingRequest, spec: ModelSpec, dialect: str, external_task_id: str | None = "kt-1"
) -> dict[str, Any]:
    """The JSON that buys a request."""
    endpoint, body = create(request, spec, dialect, external_task_id)
    assert endpoint.method == "POST"
    return body.model_dump(exclude_none=True, mode="json")


def units_per_second(spec: ModelSpec, mode: str) -> float | None:
    """The rate of a silent video."""
    rate = spec.rate({"mode": mode, "sound": "off"})
    return rate.units_per_second if rate else None
