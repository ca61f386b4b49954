"""The model table from its files: ``models.json`` beside this module, and one of the user's own.

A price or limit is written once, in the built-in file, with its source. The user's file has the same form
and adds models or changes entries. One that is broken is named in ``ModelTable.warning`` and left out as a
whole; the built-in table stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from .models import DialectLimits, DialectName, ModelSpec, ModelTable, ShotLimits, Text, is_capability
from .products import PRODUCTS
from .schema import Exact

BUILT_IN = Path(__file__).with_name("models.json")


class TableFile(Exact):
    """The built-in file as a whole."""

    docs: tuple[str, ...] = ()
    usd_per_unit: Annotated[float, Field(gt=0)]
    usd_per_unit_source: Text
    usd_per_unit_as_of: Text
    limits: dict[DialectName, DialectLimits]
    shot_limits: ShotLimits
    models: dict[str, ModelSpec]


def load_table(user_file: Path | None = None) -> ModelTable:
    """Return the built-in table, with the entries of the user's file added where there is one.

    An entry under a known name replaces the fields and capabilities it names and keeps the others; an entry
    under a new name must be whole.
    """
    raw, built_in = _built_in()
    if user_file is None:
        return built_in
    try:
        content = user_file.read_bytes()
    except FileNotFoundError:
        return built_in
    except OSError as error:
        return _with_warning(built_in, user_file, f"it can't be read ({error.strerror or error})")
    try:
        models = _merged(raw["models"], content)
    except _BrokenFile as error:
        return _with_warning(built_in, user_file, str(error))
    return replace(built_in, specs=_in_order(models))


_fresh: dict[Path, tuple[tuple[int, int] | None, ModelTable]] = {}


def fresh_table(user_file: Path) -> ModelTable:
    """Return the table; the user's file is read again only when it has changed."""
    try:
        stat = user_file.stat()
        stamp: tuple[int, int] | None = (stat.st_mtime_ns, stat.st_size)
    except OSError:
        stamp = None
    known = _fresh.get(user_file)
    if known is None or known[0] != stamp:
        known = _fresh[user_file] = (stamp, load_table(user_file if stamp else None))
    return known[1]


class _BrokenFile(Exception):
    """Why a user's file can't be used; the text is the second half of a sentence."""


@lru_cache(maxsize=1)
def _built_in() -> tuple[dict[str, Any], ModelTable]:
    raw: dict[str, Any] = json.loads(BUILT_IN.read_text(encoding="utf-8"))
    for name, entry in raw["models"].items():
        entry["name"] = name
    file = TableFile.model_validate(raw)
    table = ModelTable(_in_order(file.models), file.limits, file.shot_limits, file.usd_per_unit)
    return raw, table


def _in_order(models: Mapping[str, ModelSpec]) -> dict[str, ModelSpec]:
    living = {name: spec for name, spec in models.items() if spec.living}
    return living | {name: spec for name, spec in models.items() if not spec.living}


def _merged(built_in: Mapping[str, Any], content: bytes) -> dict[str, ModelSpec]:
    try:
        raw = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _BrokenFile(f"byte {error.start + 1} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise _BrokenFile(f"line {error.lineno}, column {error.colno} is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise _BrokenFile("it is nested too deeply") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("models"), dict):
        raise _BrokenFile('it needs the form {"models": {"name": {...}}}')
    if unknown := sorted(set(raw) - {"models", "docs"}):
        raise _BrokenFile(f"it has the unknown field {unknown[0]}; only models and docs are read")
    entries = dict(built_in)
    for name, entry in raw["models"].items():
        if not isinstance(entry, dict):
            raise _BrokenFile(f"entry {name} must be an object in braces")
        entries[name] = {**_over(built_in.get(name, {}), entry), "name": name}
    return {name: _spec(name, entry) for name, entry in entries.items()}


def _over(known: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known entry with another laid over it, capability by capability."""
    given = entry.get("capabilities", {})
    if not isinstance(given, Mapping):
        return {**known, **entry}  # the validator has a sentence for it
    beside = {
        name: value
        for name, value in entry.items()
        if name not in ModelSpec.model_fields and is_capability(value)
    }
    kept = {name: value for name, value in entry.items() if name not in beside}
    return {**known, **kept, "capabilities": {**known.get("capabilities", {}), **given, **beside}}


def _spec(name: str, entry: Mapping[str, Any]) -> ModelSpec:
    try:
        spec = ModelSpec.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f"entry {name}, field {field}" if field else f"entry {name}"
        raise _BrokenFile(f"{where}: {_in_plain_words(first['type'], first['msg'])}") from error
    for product in PRODUCTS.values():
        if spec.can(product.name) and (lack := product.lack_of(spec)):
            raise _BrokenFile(f"entry {name}: {lack}")
    return spec


def _in_plain_words(kind: str, message: str) -> str:
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "there is no field of that name"
    return message.removeprefix("Value error, ").rstrip(".")


def _with_warning(table: ModelTable, file: Path, reason: str) -> ModelTable:
    text = (
        f"Your model table {file.name} is not used: {reason}. The built-in models stay as they are. "
        "Correct the file or remove it."
    )
    return replace(table, warning=text)
