"""What a second of video costs, in Kling's units.

The numbers are those of `apis/kling/models.json`, read as data: a price is written once in this project.
"""

from __future__ import annotations

import functools

from . import models_json
from .model import Model

#: Units per second with a voice of the user's own (Kling price page, 2026-09-20); no node offers it.
VOICE = 1.2
#: Units per second of a model that no list prices, for example one a test made up.
UNPRICED = 1.0


def units_per_second(name: str, mode: str, sound: bool, model: Model | None = None) -> float:
    """Return the rate of a model by the name that a client used, or by its own list where it has one."""
    own = model.rates if model is not None else {}
    return own.get((mode, sound), _rates().get((name, mode, sound), UNPRICED))


def show(amount: float) -> str:
    """Return units as Kling writes them: a string without idle zeros ("3", "2.4")."""
    return f"{amount:.4f}".rstrip("0").rstrip(".")


@functools.lru_cache(maxsize=1)
def _rates() -> dict[tuple[str, str, bool], float]:
    return {
        (name, *circumstances): rate
        for entry in models_json.built_in().values()
        for name in models_json.part(entry, "dialects").values()
        for circumstances, rate in models_json.rates(entry).items()
    }
