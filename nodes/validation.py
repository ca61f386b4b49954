"""``VALIDATE_INPUTS`` from what a node declares: which widgets are judged before anything runs.

ComfyUI reads the signature to see which inputs a node judges itself, and stops checking those. With
``**kwargs`` it would stop checking all of them, the bounds of ``take`` among them; so each name stands in
the signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

#: what ComfyUI makes a widget for; every other type is a link
_WIDGETS = ("STRING", "INT", "FLOAT", "BOOLEAN")

#: a widget that was not part of the check, which is not the same as one with a link (None)
ABSENT = object()


class WidgetCheck:
    """The class attribute ``VALIDATE_INPUTS`` of a node.

    The node says with ``check_widgets(known, linked)`` what is wrong: True, or sentences. ``judged`` are the
    inputs that it judges; a node that judges what it declares leaves them out and has ``judged_inputs()``.
    """

    def __init__(self, *judged: str) -> None:
        """Belong to a node."""
        self._judged = judged

    def __get__(self, instance: object, node: type[Any]) -> Callable[..., bool | str]:
        """Return the function that ComfyUI calls, with a signature made from the node's inputs.

        ComfyUI names a linked input with None and leaves out what the prompt does not mention; both are
        judged in the node, when all values are known.
        """

        def validate(**values: Any) -> bool | str:
            known = {
                name: value for name, value in values.items() if value is not None and value is not ABSENT
            }
            linked = [name for name, value in values.items() if value is None]
            answer: bool | str = node.check_widgets(known, linked)
            return answer

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = self._judged or node.judged_inputs()
        parameters = [inspect.Parameter(name, kind, default=ABSENT) for name in names]
        vars(validate)["__signature__"] = inspect.Signature(parameters)
        return validate


def is_widget(entry: tuple[Any, ...]) -> bool:
    """Return whether an entry of ``INPUT_TYPES`` is a widget and not a link."""
    return isinstance(entry[0], list) or entry[0] in _WIDGETS
