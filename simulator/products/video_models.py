"""The models that make videos from words and from pictures, as this simulator judges them.

The rules stand here a second time on purpose: the pack has its own table, and a judge that read the same
table would repeat the same mistakes. Only prices come from `apis/kling/models.json`, as data. Sources:
Kling's capability map (2026-05-19), endpoint pages and price page (2026-09-20). Where sources disagree, the
stricter one is taken, so that what Kling would refuse cannot pass here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answers import Refusal, invalid, invalid_value
from ..model import FIVE_TEN, STD_PRO, Model
from ..offer import Offer

TEXT_TO_VIDEO = "text2video"
IMAGE_TO_VIDEO = "image2video"
BOTH = (TEXT_TO_VIDEO, IMAGE_TO_VIDEO)


def _every(modes: tuple[str, ...], durations: tuple[int, ...]) -> frozenset[tuple[str, int]]:
    return frozenset((mode, seconds) for mode in modes for seconds in durations)


_V3_MODES = ("std", "pro", "4k")
_V3_SECONDS = tuple(range(3, 16))

MODELS: tuple[Model, ...] = (
    Model("kling-v2-5-turbo", "kling-2.5-turbo", BOTH, tails=_every(("pro",), FIVE_TEN), cfg_scale=False),
    Model(
        "kling-v2-6",
        "kling-2.6",
        BOTH,
        tails=_every(("pro",), FIVE_TEN),
        tail_with_sound=False,
        sound_modes=("pro",),
        voices=2,
        cfg_scale=False,
    ),
    Model(
        "kling-v3",
        "kling-3.0",
        BOTH,
        modes=_V3_MODES,
        durations=_V3_SECONDS,
        tails=_every(_V3_MODES, _V3_SECONDS),
        sound_modes=_V3_MODES,
        shots=True,
        elements=3,
        standard_characters=3072,
    ),
    Model(
        None,
        "kling-3.0-turbo",
        BOTH,
        durations=_V3_SECONDS,
        sound_always=True,
        shots=True,
        standard_characters=3072,
    ),
    Model(
        "kling-v1",
        None,
        BOTH,
        tails=_every(STD_PRO, (5,)),
        camera=frozenset({(TEXT_TO_VIDEO, "std", 5)}),
        retired=True,
    ),
    Model(
        "kling-v1-5",
        None,
        (IMAGE_TO_VIDEO,),
        tails=_every(("pro",), FIVE_TEN),
        tail_alone=True,
        camera=frozenset({(IMAGE_TO_VIDEO, "pro", 5)}),
        camera_simple_only=True,
        retired=True,
    ),
    Model("kling-v1-6", None, BOTH, tails=_every(("pro",), FIVE_TEN), tail_alone=True, retired=True),
    Model("kling-v2-master", None, BOTH, fixed_mode="std", cfg_scale=False, retired=True),
    Model(
        "kling-v2-1",
        None,
        (IMAGE_TO_VIDEO,),
        tails=_every(("pro",), FIVE_TEN),
        cfg_scale=False,
        retired=True,
    ),
    Model("kling-v2-1-master", None, BOTH, fixed_mode="pro", cfg_scale=False, retired=True),
)
_LEGACY = {model.legacy: model for model in MODELS if model.legacy}
_STANDARD = {model.standard: model for model in MODELS if model.standard}
#: What Kling takes when `model_name` is missing; retired, so a create without a name is refused.
_LEGACY_DEFAULT = "kling-v1"


def legacy_model(product: str, body: Mapping[str, Any], offer: Offer) -> Model:
    """Return the model that a legacy body of `product` names, or raise Refusal in Kling's words."""
    name = body.get("model_name") or _LEGACY_DEFAULT
    if not isinstance(name, str):
        raise invalid_value("model_name", name)
    model = _LEGACY.get(name) or offer.user_model(product, "legacy", name)
    if model is None:
        raise invalid_value("model_name", name)
    if product not in model.products or (model.retired and not offer.retired_models):
        raise invalid("model is not supported")
    return model


def standard_model(product: str, name: str, offer: Offer) -> Model:
    """Return the model of that name in a path of the new standard, or raise Refusal in Kling's words."""
    model = _STANDARD.get(name) or offer.user_model(product, "standard", name)
    if model is None or product not in model.products or (model.retired and not offer.retired_models):
        raise Refusal(1203, f"model '{name}' does not exist")
    return model
