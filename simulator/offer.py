"""Which models this Kling serves beyond the living ones: retired ones, and those of a user's models.json.

A user may add a model by data alone, and wants to try it on the simulator. The judge has no opinion of such a
model, so it goes by the user's own entry and says so in the log; of a model that it knows, it keeps its own.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import models_json
from .model import ASPECT_RATIOS, FIVE_TEN, STD_PRO, Model
from .models_json import capabilities, listed, part, rates

logger = logging.getLogger(__name__)

CHARACTERS = 2500  # of a prompt whose limit the entry does not name
VOICES = 2


@dataclass(frozen=True)
class Offer:
    """The models that are served besides the living ones."""

    retired_models: bool = False
    user_models: Path | None = None

    def user_model(self, product: str, dialect: str, name: str) -> Model | None:
        """Return the model of that name in a dialect by the user's entry; None where there is none.

        The file is read anew for each question: a user edits it while the simulator runs.
        """
        if self.user_models is None:
            return None
        models = models_json.entries(self.user_models)
        key = models_json.named(models, dialect, name)
        if key is None:
            return None
        logger.info(
            "The simulator has no rules of its own for %s and judges it by its entry in %s.",
            name,
            self.user_models.name,
        )
        return _model(_completed(key, models[key]), product, dialect)


def _completed(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with what it leaves to the project's own entry of the same key."""
    known = models_json.built_in().get(key, {})
    return {**known, **entry, "capabilities": {**part(known, "capabilities"), **capabilities(entry)}}


def _model(entry: Mapping[str, Any], product: str, dialect: str) -> Model:
    can = capabilities(entry)

    def allows(capability: str, **facts: object) -> bool:
        return _allows(can.get(capability), {"products": product, "dialects": dialect, **facts})

    modes = [mode for mode in listed(entry, "modes") or STD_PRO if allows(product, modes=mode)]
    lengths = [length for length in listed(entry, "durations") or FIVE_TEN if isinstance(length, int)]
    lengths = [length for length in lengths if allows(product, durations=length)]
    always_sounds = entry.get("sound_always") is True
    pairs = list(itertools.product(modes, lengths))
    limit = part(part(entry, "prompt_characters"), dialect).get(product, CHARACTERS)
    settings = listed(entry, "standard_settings")
    return Model(
        legacy=part(entry, "dialects").get("legacy"),
        standard=part(entry, "dialects").get("standard"),
        products=(product,) if allows(product) else (),
        modes=tuple(modes),
        durations=tuple(lengths),
        aspect_ratios=tuple(listed(entry, "aspect_ratios")) or ASPECT_RATIOS,
        tails=frozenset(pair for pair in pairs if allows("end_frame", modes=pair[0], durations=pair[1])),
        tail_alone=allows("end_frame_only"),
        tail_with_sound=allows("end_frame", sound="on"),
        sound_modes=() if always_sounds else tuple(mode for mode in modes if allows("sound", modes=mode)),
        sound_always=always_sounds,
        shots=allows("shots"),
        voices=VOICES if allows("voice") else 0,
        cfg_scale=allows("cfg_scale"),
        camera=frozenset(
            (product, *pair) for pair in pairs if allows("camera_field", modes=pair[0], durations=pair[1])
        ),
        camera_simple_only=not allows("camera_field", camera_types="down_back"),
        legacy_characters=limit,
        standard_characters=limit,
        contents_characters=limit,
        settings=frozenset(settings) or None,
        rates=rates(entry),
        retired=bool(entry.get("retired_on")),
    )


def _allows(conditions: object, facts: Mapping[str, object]) -> bool:
    """Tell whether one of the conditions holds; a part that a condition leaves out holds always."""
    return isinstance(conditions, list) and any(
        isinstance(condition, Mapping)
        and all(_holds(condition.get(name), fact) for name, fact in facts.items())
        for condition in conditions
    )


def _holds(allowed: object, fact: object) -> bool:
    return allowed is None or fact == allowed or (isinstance(allowed, list) and fact in allowed)
