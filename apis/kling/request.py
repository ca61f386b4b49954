"""The base of every request: what a node asks for, in one form for every model and both dialects.

These objects are checked for their shape only; what a model allows is for the product to say. A take is named
by ``Product.canonical``, so no field may lose its name or its meaning, ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from .problem import Problem
from .schema import Exact


class KlingRequest(Exact):
    """A wanted take; ``product`` is Kling's name of what it asks for."""

    product: ClassVar[str]

    @classmethod
    def widget_of(cls, field: str) -> str:
        """Return the name of the node input that fills a field: the field's own, where it names no other."""
        return _named_widget(cls.model_fields[field]) or field if field in cls.model_fields else field

    @classmethod
    def fields_by_widget(cls) -> dict[str, str]:
        """Return the field behind each node input."""
        return {cls.widget_of(field): field for field in cls.model_fields}


def _named_widget(info: FieldInfo) -> str | None:
    extra = info.json_schema_extra
    widget = extra.get("widget") if isinstance(extra, dict) else None
    return widget if isinstance(widget, str) else None


def shape_problems(error: ValidationError, request: type[KlingRequest]) -> list[Problem]:
    """Return the sentences for a request that could not even be made, by the names of the node's inputs."""
    found = []
    for entry in error.errors(include_url=False):
        widget = request.widget_of(str(entry["loc"][0])) if entry["loc"] else "request"
        bounds: Mapping[str, Any] = entry.get("ctx", {})
        if "expected" in bounds:
            fault = f"choose {bounds['expected']}"
        elif "ge" in bounds:
            fault = f"choose {bounds['ge']:g} or more"
        elif "le" in bounds:
            fault = f"choose {bounds['le']:g} or less"
        elif entry["type"] == "missing":
            fault = "it is missing"
        else:
            fault = "this value does not fit here"
        found.append(Problem(widget, f"{widget}: {fault}."))
    return found
