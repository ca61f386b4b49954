"""``VALIDATE_INPUTS`` from what a node declares: which widgets are judged before anything runs.

ComfyUI reads the signature to see which inputs a node judges itself, and stops checking those. With
``**kwargs`` it would stop checking all of them, the bounds of ``take`` among them; so each name stands in
the signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

#: what ComfyUI makes a widget for; every other type is a link
_WIDGETS = ("STRING", "INT", "FLOAT", "BOOLEAN")

#: a widget that was not part of the check, which is not the same as one with a link (None)
ABSENT = object()


class Checked(Protocol):
    """A node class whose widgets can be judged."""

    @classmethod
    def judged_inputs(cls) -> list[str]:
        """Return the inputs that are judged, as they stand in the signature."""

    @classmethod
    def check_widgets(cls, known: dict[str, Any], linked: list[str]) -> bool | str:
        """Return True, or what to change in sentences; ``linked`` are inputs without a value yet."""


class WidgetCheck:
    """The class attribute ``VALIDATE_INPUTS`` of a node."""

    def __get__(self, instance: object, node: type[Checked]) -> Callable[..., bool | str]:
        """Return the function that ComfyUI calls, with a signature made from the node's inputs.

        ComfyUI names a linked input with None and leaves out what the prompt does not mention; both are
        judged in the node, when all values are known.
        """

        def validate(**values: Any) -> bool | str:
            known = {
                name: value for name, value in values.items() if value is not None and value is not ABSENT
            }
            return node.check_widgets(known, [name for name, value in values.items() if value is None])

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind, default=ABSENT) for name in node.judged_inputs()]
        validate.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for inspect
        return validate


def is_widget(entry: tuple[Any, ...]) -> bool:
    """Return whether an entry of ``INPUT_TYPES`` is a widget and not a link."""
    return isinstance(entry[0], list) or entry[0] in _WIDGETS
