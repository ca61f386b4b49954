"""The bases of every pydantic class here: exact for what we send, open for what we receive.

Building a validator costs about half a millisecond a class, and ComfyUI imports the pack at each start,
so the building waits for the first use.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from pydantic import BaseModel, ConfigDict


class Exact(BaseModel):
    """A frozen object without unknown fields: Kling ignores what it doesn't know and bills a wrong video."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True, protected_namespaces=()
    )


class Named(BaseModel):
    """Fields that a node shows under names of its own: ``widget`` in ``json_schema_extra`` says which."""

    @classmethod
    def widget_of(cls, field: str) -> str:
        """Return the name of the node input that fills a field: the field's own, where it names no other."""
        info = cls.model_fields.get(field)
        extra = info.json_schema_extra if info is not None else None
        widget = extra.get("widget") if isinstance(extra, dict) else None
        return widget if isinstance(widget, str) else field

    @classmethod
    def fields_by_widget(cls) -> dict[str, str]:
        """Return the field behind each node input."""
        return {cls.widget_of(field): field for field in cls.model_fields}


class Part(Exact):
    """A value of a request that is made of several: a picture, a shot, a camera move."""

    @abstractmethod
    def in_take(self) -> Any:
        """Return the JSON value that stands for it in a take's hash; it may never change."""


class Open(BaseModel):
    """A frozen object that keeps unknown fields: Kling adds some every few months."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True, protected_namespaces=())
