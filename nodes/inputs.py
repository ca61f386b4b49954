"""A field of a pydantic request becomes an input of a ComfyUI node.

What a user may type is said once, in the request model: type, default, range, step, choices, tooltip. A
node repeats none of it, so a limit that Kling changes is changed in one place.
"""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..apis.kling.camera import KlingCameraControl
from ..apis.kling.model_file import fresh_table
from ..apis.kling.models import ModelTable
from ..apis.kling.pictures import KlingImage
from ..apis.kling.shots import KlingShot
from . import host

#: keys of ``json_schema_extra`` that ComfyUI knows as options of an input
PASSED_ON = ("default", "min", "max", "multiline", "step", "round", "placeholder")
#: what a field of each type is to ComfyUI
IO_TYPES: dict[Any, str] = {
    str: "STRING",
    int: "INT",
    float: "FLOAT",
    bool: "BOOLEAN",
    KlingImage: "IMAGE",
    KlingShot: "KLING_SHOTS",
    KlingCameraControl: "CAMERA_CONTROL",
}


def model_table() -> ModelTable:
    """Return the models that the nodes offer: Kling's, with the user's own on top."""
    return fresh_table(host.user_dir() / "models.json")


def io_type_of(info: FieldInfo) -> str:
    """Return ComfyUI's name for the type of a field: COMBO where it has choices."""
    if _choices(info):
        return "COMBO"
    return next(IO_TYPES[part] for part in _parts(info.annotation) if part in IO_TYPES)


def model_field_to_node_input(
    io_type: str, model: type[BaseModel], field: str, **overrides: Any
) -> tuple[str | list[str], dict[str, Any]]:
    """Return the ``INPUT_TYPES`` entry of one field.

    ``io_type`` is ComfyUI's name: STRING, INT, FLOAT, BOOLEAN, COMBO or the type of a link. Default, range,
    step, choices, multiline and tooltip come from the field; ``overrides`` win over them, and an override
    of ``None`` drops the option. For COMBO the choices come from ``options`` or from a ``Literal``. Raises
    KeyError when the model has no such field and ValueError when a COMBO has no choices.
    """
    info = model.model_fields[field]
    options: dict[str, Any] = {}
    if info.default is not PydanticUndefined and info.default is not None:
        options["default"] = info.default
    if io_type in ("INT", "FLOAT"):
        for rule in info.metadata:
            for theirs, ours in (("ge", "min"), ("le", "max"), ("multiple_of", "step")):
                if (value := getattr(rule, theirs, None)) is not None:
                    options[ours] = value
    extra = _extra(info)
    options.update({key: extra[key] for key in PASSED_ON if key in extra})
    if extra.get("slider"):
        options["display"] = "slider"
    if info.description:
        options["tooltip"] = info.description
    options.update(overrides)
    options = {key: value for key, value in options.items() if value is not None}
    if io_type != "COMBO":
        return io_type, options
    choices = options.pop("options", None) or _choices(info)
    if not choices:
        raise ValueError(f"{model.__name__}.{field} names no choices, so it can't be a COMBO.")
    return [str(choice) for choice in choices], options


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _choices(info: FieldInfo) -> list[str]:
    """Return the values a field allows, in the order they are written; none when it is open."""
    found = _extra(info).get("options") or [
        value for part in _parts(info.annotation) if get_origin(part) is Literal for value in get_args(part)
    ]
    return [str(value) for value in found]


def _parts(annotation: Any) -> list[Any]:
    """Return the types of a union or a tuple, or the type itself."""
    if get_origin(annotation) in (Union, types.UnionType, tuple):
        return [part for inner in get_args(annotation) for part in _parts(inner)]
    return [annotation]
