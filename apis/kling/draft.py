"""What is known of a wanted request: all of it, or the widgets of a node before the graph runs.

ComfyUI asks a node about its widgets when linked inputs have no value yet. A field that is None is not
known or not wanted, and no rule speaks about it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .request import KlingRequest


@dataclass(frozen=True)
class Draft:
    """The values known so far, and the fields whose values other nodes will give."""

    values: Mapping[str, Any]
    linked: frozenset[str] = frozenset()

    @staticmethod
    def of_request(request: KlingRequest) -> Draft:
        """Return the draft in which everything is known."""
        return Draft({name: getattr(request, name) for name in type(request).model_fields})

    @staticmethod
    def of_widgets(
        request: type[KlingRequest], values: Mapping[str, Any], linked: Collection[str] = ()
    ) -> Draft:
        """Return what a node's widgets say, by the names of its inputs; those in ``linked`` are links."""
        fields = request.fields_by_widget()
        return Draft(
            {fields.get(name, name): value for name, value in values.items() if name not in linked},
            frozenset(fields.get(name, name) for name in linked),
        )

    def get(self, field: str) -> Any:
        """Return the value, or None."""
        return self.values.get(field)

    def text(self, field: str) -> str | None:
        """Return the value as text, or None."""
        value = self.values.get(field)
        return None if value is None else str(value)

    def has(self, field: str) -> bool:
        """Return whether the field is filled, or will be through a link."""
        return field in self.linked or bool(self.values.get(field))
