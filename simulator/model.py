"""What one model takes, as the simulator judges it. Pure data; which models there are, products say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STD_PRO = ("std", "pro")
FIVE_TEN = (5, 10)
ASPECT_RATIOS = ("16:9", "9:16", "1:1")
#: Kling's new standard names a mode by its resolution.
RESOLUTIONS = {"720p": "std", "1080p": "pro", "4k": "4k"}


@dataclass(frozen=True)
class Model:
    """One model: its name in each dialect, the names of the products it makes, and its limits.

    `tails` are the (mode, seconds) with a start and an end picture, `camera` the (product, mode, seconds)
    with a camera field. `settings` are the fields of the new standard's `settings` where they do not follow
    from the rest. `rates` are units per second by (mode, sound) where they stand in no price list.
    """

    legacy: str | None
    standard: str | None
    products: tuple[str, ...]
    modes: tuple[str, ...] = STD_PRO
    durations: tuple[int, ...] = FIVE_TEN
    aspect_ratios: tuple[str, ...] = ASPECT_RATIOS
    tails: frozenset[tuple[str, int]] = frozenset()
    tail_alone: bool = False
    tail_with_sound: bool = True
    sound_modes: tuple[str, ...] = ()
    sound_always: bool = False
    shots: bool = False
    elements: int = 0
    voices: int = 0
    cfg_scale: bool = True
    fixed_mode: str | None = None  # a model without a choice ignores the field
    camera: frozenset[tuple[str, str, int]] = frozenset()
    camera_simple_only: bool = False
    legacy_characters: int = 2500  # of `prompt` in the legacy dialect
    standard_characters: int = 2500  # of `prompt` in the new standard
    contents_characters: int = 2500  # of the prompt within the new standard's `contents`
    settings: frozenset[str] | None = None
    rates: Mapping[tuple[str, bool], float] = field(default_factory=dict)
    retired: bool = False
