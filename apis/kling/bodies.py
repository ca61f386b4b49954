"""What the bodies of all products have in common: where our own id stands in them."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from .schema import Exact

B = TypeVar("B", bound=BaseModel)


class StandardOptions(Exact):
    """``options`` of the new standard."""

    external_task_id: str | None = None


def stamped_legacy(body: B, external_task_id: str | None) -> B:
    """Return the body with our id in its field ``external_task_id``."""
    return _with(body, "external_task_id", external_task_id)


def stamped_standard(body: B, external_task_id: str | None) -> B:
    """Return the body with our id in its ``options``; without an id there are none."""
    options = StandardOptions(external_task_id=external_task_id) if external_task_id else None
    return _with(body, "options", options)


def _with(body: B, field: str, value: object) -> B:
    if field not in type(body).model_fields:
        raise TypeError(
            f"{type(body).__name__} has no field {field}, and without our id a take is not unique"
        )
    return body.model_copy(update={field: value})
