"""A field of a pydantic request becomes an input of a ComfyUI node.

What a user may type is said once, in the request model: type, default, range, step, choices, tooltip. A
node repeats none of it, so a limit that Kling changes is changed in one place.
"""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

#: keys of ``json_schema_extra`` that ComfyUI knows as options of an input
PASSED_ON = ("default", "min", "max", "multiline", "step", "round", "placeholder")


def model_field_to_node_input(
    io_type: str, model: type[BaseModel], field: str, **overrides: Any
) -> tuple[str | list[str], dict[str, Any]]:
    """Return the ``INPUT_TYPES`` entry of one field.

    ``io_type`` is ComfyUI's name: STRING, INT, FLOAT, BOOLEAN, COMBO or the type of a link. Default, range,
    step, choices, multiline and tooltip come from the field; ``overrides`` win over them, and an override
    of ``None`` drops the option. For COMBO the choices come from ``options``, from a ``Literal`` or from an
    ``Enum``. Raises KeyError when the model has no such field and ValueError when a COMBO has no choices.
    """
    info = model.model_fields[field]
    options: dict[str, Any] = {}
    if info.default is not PydanticUndefined and info.default is not None:
        options["default"] = info.default.value if isinstance(info.default, Enum) else info.default
    for name, value in _limits(info).items():
        if io_type in ("INT", "FLOAT"):
            options[name] = value
    extra: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    options.update({key: extra[key] for key in PASSED_ON if key in extra})
    if extra.get("slider"):
        options["display"] = "slider"
    if info.description:
        options["tooltip"] = info.description
    options.update(overrides)
    options = {key: value for key, value in options.items() if value is not None}
    if io_type != "COMBO":
        return io_type, options
    choices = options.pop("options", None) or extra.get("options") or _choices(info.annotation)
    if not choices:
        raise ValueError(f"{model.__name__}.{field} names no choices, so it can't be a COMBO.")
    return [str(choice) for choice in choices], options


def _limits(info: FieldInfo) -> dict[str, Any]:
    """Return the numeric limits of a field under ComfyUI's names: min, max, step."""
    limits: dict[str, Any] = {}
    for rule in info.metadata:
        for theirs, ours in (("ge", "min"), ("le", "max"), ("multiple_of", "step")):
            value = getattr(rule, theirs, None)
            if value is not None:
                limits[ours] = value
    return limits


def _choices(annotation: Any) -> list[str]:
    """Return the values an annotation allows, in the order they are written; none when it is open."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    origin = get_origin(annotation)
    if origin is Literal:
        return [str(value) for value in get_args(annotation)]
    if origin in (Union, types.UnionType):
        return [choice for part in get_args(annotation) for choice in _choices(part)]
    return []
