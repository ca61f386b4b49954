"""A video from words alone: the one that chooses its shape by `aspect_ratio`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import rules, standard_rules
from ..answers import invalid
from ..fields import choice, part, text
from ..offer import Offer
from ..order import VideoOrder
from .video import VideoProduct
from .video_models import TEXT_TO_VIDEO as NAME
from .video_models import legacy_model, standard_model

DEFAULT_RATIO = "16:9"


@dataclass(frozen=True, kw_only=True)
class TextToVideo(VideoProduct):
    """The product's rules in both dialects."""

    def read_legacy(self, body: Mapping[str, Any], offer: Offer) -> VideoOrder:
        """Return the order in a legacy create body."""
        model = legacy_model(self.name, body, offer)
        order = rules.check(self.name, body, model, frozenset({"aspect_ratio"}))
        rules.check_voice_marks(order)
        return replace(order, aspect_ratio=choice(body, "aspect_ratio", model.aspect_ratios, DEFAULT_RATIO))

    def read_standard(self, model: str, body: Mapping[str, Any], offer: Offer) -> VideoOrder:
        """Return the order in a body with `prompt`, `settings` and `options`."""
        known = standard_model(self.name, model, offer)
        settings = standard_rules.read_settings(body, known, frozenset({"aspect_ratio"}))
        prompt = text(body, "prompt", known.standard_characters)
        if not prompt.strip():
            raise invalid("prompt cannot be empty")
        order = standard_rules.order(self.name, model, body, known, settings, prompt, frozenset({"prompt"}))
        ratio = choice(part(body, "settings"), "aspect_ratio", known.aspect_ratios, DEFAULT_RATIO)
        return replace(order, aspect_ratio=ratio)


PRODUCT = TextToVideo(
    name=NAME,
    legacy_path="/v1/videos/text2video",
    standard_path="/text-to-video",
    product_type="text-to-video",
)
