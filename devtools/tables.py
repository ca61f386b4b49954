"""The tables of the papers, as Markdown, from what the nodes declare and from the model table. Pure.

What a model can do or costs is said in ``models.json`` alone. A page that said it again in its own words
would be wrong with the next model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..apis.kling.models import Condition, ModelSpec, ModelTable, Rate
from ..apis.kling.phrasing import numbers
from ..apis.kling.products import PRODUCTS
from ..nodes.base import KlingNodeBase
from ..nodes.validation import is_widget

#: the modes in which Kling sells, with what they mean
MODES = {"std": "720p", "pro": "1080p", "4k": ""}


def inputs_table(node: Any) -> str:
    """Return the inputs of a node; nothing where it has none."""
    declared = node.INPUT_TYPES()
    required, optional = declared["required"], declared.get("optional", {})
    rows = []
    for name, (kind, options) in {**required, **optional}.items():
        may_stay_free = name in optional and not is_widget((kind, options))
        default = options.get("default", kind[0] if isinstance(kind, list) else "")
        text = options["tooltip"] + (" Optional." if may_stay_free else "")
        rows.append([f"`{name}`", "choice" if isinstance(kind, list) else kind, str(default), text])
    return _table(["input", "type", "default", "what it does"], rows) if rows else ""


def outputs_table(node: Any) -> str:
    """Return the outputs of a node."""
    outputs = zip(node.RETURN_NAMES, node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True)
    rows = [[f"`{name}`", kind, text] for name, kind, text in outputs]
    return _table(["output", "type", "what it is"], rows)


def offered(node: type[KlingNodeBase], table: ModelTable) -> list[ModelSpec]:
    """Return the models that a node offers, living ones first."""
    return table.having(node.REQUEST.product, *node.FEATURES)


def prices_table(node: type[KlingNodeBase], table: ModelTable) -> str:
    """Return what one second costs with each living model of a node, and of when the prices are."""
    specs = [spec for spec in offered(node, table) if spec.living]
    modes = [mode for mode in MODES if any(mode in spec.modes for spec in specs)]
    rows: list[list[str]] = []
    for spec in specs:
        unit = "" if rows else " a second"
        name = f"{spec.name} (always with sound)" if spec.sound_always else spec.name
        prices = [prices_of(spec, mode, table, sign="$", unit=unit, sound="with sound") for mode in modes]
        rows.append([name, *(price or "-" for price in prices)])
    header = [f"{MODES[mode]} (`{mode}`)" if MODES[mode] else f"`{mode}`" for mode in modes]
    return (
        _table(["model", *header], rows)
        + f"\nList prices of {_as_of(specs)}. Your resource pack may have cost less.\n"
    )


def models_table(node: type[KlingNodeBase], table: ModelTable) -> str:
    """Return what each model of a node can do there, as far as the node has inputs for it."""
    product = node.REQUEST.product
    columns: dict[str, tuple[str, Callable[[ModelSpec], str]]] = {
        "mode": ("modes", lambda spec: ", ".join(spec.modes)),
        "duration": ("length", _length),
        "end_frame": ("end frame", lambda spec: can(spec, "end_frame", product)),
        "sound": ("sound", lambda spec: can(spec, "sound", product)),
        "shots": ("shots", lambda spec: can(spec, "shots", product)),
        "camera_control": ("camera field", lambda spec: can(spec, "camera_field", product)),
    }
    shown = [column for name, column in columns.items() if name in node.declared()]
    rows = []
    for spec in offered(node, table):
        since = "yes" if spec.living else f"until {spec.retired_on}"
        rows.append([spec.name, since, *(cell(spec) or "-" for _, cell in shown)])
    return _table(["model", "offered by Kling", *(heading for heading, _ in shown)], rows)


def readme_table(table: ModelTable) -> str:
    """Return the living models of all nodes on one table, and which living ones no node offers."""
    living = [spec for spec in table.specs.values() if spec.living]
    specs = [spec for spec in living if any(spec.can(product) for product in PRODUCTS)]
    rows = [
        [
            spec.name,
            _length(spec),
            *(prices_of(spec, mode, table, sound="sound") for mode in MODES),
            *(can(spec, capability) for capability in ("end_frame", "sound", "shots")),
        ]
        for spec in specs
    ]
    header = [f"{size} ({mode})" if size else mode for mode, size in MODES.items()]
    prices = f"Prices are Kling's list prices in US dollars a second, of {_as_of(specs)}."
    models = _table(["model", "length", *header, "end frame", "sound", "shots"], rows)
    others = ", ".join(spec.name for spec in living if spec not in specs)
    rest = (
        f"\nMade through other endpoints of Kling's, and so not in the lists: {others}.\n" if others else ""
    )
    return f"{prices}\n\n{models}{rest}"


def prices_of(
    spec: ModelSpec, mode: str, table: ModelTable, *, sound: str, sign: str = "", unit: str = ""
) -> str:
    """Return the prices of a second in a mode, the one with sound named by ``sound`` where it differs."""
    silent, loud = (spec.rate({"mode": mode, "sound": switch}) for switch in ("off", "on"))
    if mode not in spec.modes or not (silent or loud):
        return ""
    told = [f"{sign}{_usd(rate, table)}{unit}" for rate in (silent, loud) if rate]
    if len(told) == 2 and told[0] != told[1]:
        return f"{told[0]}, {sound} {told[1]}"
    return told[0]


def can(spec: ModelSpec, capability: str, product: str | None = None) -> str:
    """Return when a model has a capability: nothing for never, "yes" for always.

    ``product`` leaves out what holds for other products only.
    """
    if capability == "sound" and spec.sound_always:
        return "always"
    circumstances = {"product": product}
    found = [one for one in spec.conditions(capability) if not one.misses(circumstances)]
    return "; ".join(_in_words(condition) for condition in found)


def _in_words(condition: Condition) -> str:
    parts = [*(condition.modes or ())]
    parts += [f"{numbers(condition.durations)} s"] if condition.durations else []
    parts += [{"off": "silent", "on": "with sound"}[condition.sound]] if condition.sound else []
    parts += condition.camera_types or ()
    return ", ".join(parts) or "yes"


def _length(spec: ModelSpec) -> str:
    return f"{numbers(spec.durations).replace(' or ', ', ')} s"


def _usd(rate: Rate, table: ModelTable) -> str:
    return f"{(rate.units_per_second or 0) * table.usd_per_unit:.3f}".rstrip("0")


def _as_of(specs: Iterable[ModelSpec]) -> str:
    return max(spec.as_of for spec in specs)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = (f"| {' | '.join(cells)} |\n" for cells in (header, *rows))
    return "".join([head, f"|{'---|' * len(header)}\n", *lines])
