"""The base of every request: what a node asks for, in one form for every model and both dialects.

These objects are checked for their shape only; what a model allows is for the product to say. A take is named
by ``Product.canonical``, so no field may lose its name or its meaning, ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ValidationError

from .problem import Problem
from .schema import Exact, Named


class KlingRequest(Exact, Named):
    """A wanted take; ``product`` is Kling's name of what it asks for."""

    product: ClassVar[str]


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
