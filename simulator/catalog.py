"""The models as this simulator judges them, and what a video costs.

The rules stand here a second time on purpose: the pack has its own table, and a judge that read the same
table would repeat the same mistakes. Only prices come from `apis/kling/models.json`, as data. Sources:
Kling's capability map (2026-05-19), endpoint pages and price page (2026-09-20). Where sources disagree, the
stricter one is taken, so that what Kling would refuse cannot pass here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT2VIDEO = "text2video"
IMAGE2VIDEO = "image2video"
STD_PRO = ("std", "pro")
FIVE_TEN = (5, 10)
#: Kling's new standard names a mode by its resolution.
RESOLUTIONS = {"720p": "std", "1080p": "pro", "4k": "4k"}


@dataclass(frozen=True)
class Model:
    """What one model takes. `tails` are the (mode, seconds) with a start and an end picture."""

    legacy: str | None
    standard: str | None
    modes: tuple[str, ...] = STD_PRO
    durations: tuple[int, ...] = FIVE_TEN
    products: tuple[str, ...] = (TEXT2VIDEO, IMAGE2VIDEO)
    tails: frozenset[tuple[str, int]] = frozenset()
    tail_alone: bool = False
    tail_with_sound: bool = True
    sound_modes: tuple[str, ...] = ()
    sound_always: bool = False
    shots: bool = False
    elements: int = 0
    voices: int = 0
    cfg_scale: bool = True
    mode_field: bool = True
    masks: bool = False
    camera: frozenset[tuple[str, str, int]] = field(default_factory=frozenset)
    camera_simple_only: bool = False
    text_limit: int = 2500
    retired: bool = False


def _every(modes: tuple[str, ...], durations: tuple[int, ...]) -> frozenset[tuple[str, int]]:
    return frozenset((mode, seconds) for mode in modes for seconds in durations)


_V3_MODES = ("std", "pro", "4k")
_V3_SECONDS = tuple(range(3, 16))

MODELS: tuple[Model, ...] = (
    Model("kling-v2-5-turbo", "kling-2.5-turbo", tails=_every(("pro",), FIVE_TEN), cfg_scale=False),
    Model(
        "kling-v2-6",
        "kling-2.6",
        tails=_every(("pro",), FIVE_TEN),
        tail_with_sound=False,
        sound_modes=("pro",),
        voices=2,
        cfg_scale=False,
    ),
    Model(
        "kling-v3",
        "kling-3.0",
        modes=_V3_MODES,
        durations=_V3_SECONDS,
        tails=_every(_V3_MODES, _V3_SECONDS),
        sound_modes=_V3_MODES,
        shots=True,
        elements=3,
        text_limit=3072,
    ),
    Model(
        None,
        "kling-3.0-turbo",
        durations=_V3_SECONDS,
        sound_always=True,
        shots=True,
        text_limit=3072,
    ),
    Model(
        "kling-v1",
        None,
        tails=_every(STD_PRO, (5,)),
        masks=True,
        camera=frozenset({(TEXT2VIDEO, "std", 5)}),
        retired=True,
    ),
    Model(
        "kling-v1-5",
        None,
        products=(IMAGE2VIDEO,),
        tails=_every(("pro",), FIVE_TEN),
        tail_alone=True,
        masks=True,
        camera=frozenset({(IMAGE2VIDEO, "pro", 5)}),
        camera_simple_only=True,
        retired=True,
    ),
    Model("kling-v1-6", None, tails=_every(("pro",), FIVE_TEN), tail_alone=True, retired=True),
    Model("kling-v2-master", None, mode_field=False, cfg_scale=False, retired=True),
    Model(
        "kling-v2-1",
        None,
        products=(IMAGE2VIDEO,),
        tails=_every(("pro",), FIVE_TEN),
        cfg_scale=False,
        retired=True,
    ),
    Model("kling-v2-1-master", None, mode_field=False, cfg_scale=False, retired=True),
)
LEGACY = {model.legacy: model for model in MODELS if model.legacy}
STANDARD = {model.standard: model for model in MODELS if model.standard}
#: What Kling takes when `model_name` is missing; retired, so a create without a name is refused.
LEGACY_DEFAULT = "kling-v1"
