"""A video from pictures: the first one, the last one, or both; the first gives the shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import images, prices, rules, standard_rules
from ..answers import invalid
from ..fields import text
from ..model import Model
from ..offer import Offer
from ..order import VideoOrder
from ..standard_rules import Settings
from .video import VideoProduct
from .video_models import IMAGE_TO_VIDEO as NAME
from .video_models import legacy_model, standard_model

LEGACY_FIELDS = frozenset(
    {"image", "image_tail", "element_list", "voice_list", "static_mask", "dynamic_masks"}
)
FRAMES = ("first_frame", "last_frame")
CONTENT_TYPES = ("prompt", *FRAMES, "element", "voice")


@dataclass(frozen=True, kw_only=True)
class ImageToVideo(VideoProduct):
    """The product's rules in both dialects."""

    def read_legacy(self, body: Mapping[str, Any], offer: Offer) -> VideoOrder:
        """Return the order in a legacy create body."""
        model = legacy_model(self.name, body, offer)
        order = rules.check(self.name, body, model, LEGACY_FIELDS)
        order = replace(order, **_pictures(body, model, order))
        if _voices(body, model, order):
            order = replace(order, voices=True, rate=prices.VOICE)
        _elements(body, model)
        rules.check_voice_marks(order)
        return order

    def read_standard(self, model: str, body: Mapping[str, Any], offer: Offer) -> VideoOrder:
        """Return the order in a body with `contents`, `settings` and `options`."""
        known = standard_model(self.name, model, offer)
        settings = standard_rules.read_settings(body, known)
        prompt, frames, voices = _contents(body, known, settings.sound)
        pictures = _frames(frames, known, settings)
        order = standard_rules.order(self.name, model, body, known, settings, prompt, frozenset({"contents"}))
        order = replace(order, **pictures)
        return replace(order, voices=True, rate=prices.VOICE) if voices else order


PRODUCT = ImageToVideo(
    name=NAME,
    legacy_path="/v1/videos/image2video",
    standard_path="/image-to-video",
    product_type="image-to-video",
)


def _pictures(body: Mapping[str, Any], model: Model, order: VideoOrder) -> dict[str, Any]:
    """Return the order's fields that come from the pictures."""
    image, tail = text(body, "image", None), text(body, "image_tail", None)
    masks = any(body.get(name) for name in ("static_mask", "dynamic_masks"))
    if sum((bool(tail), masks, body.get("camera_control") is not None)) > 1:
        raise invalid("image_tail, dynamic_masks/static_mask and camera_control exclude each other")
    if masks:
        # The motion brush went with the retired models, and the simulator has none for them either.
        raise invalid("dynamic_masks/static_mask is not supported by the current model")
    if not image and not (tail and model.tail_alone):
        raise invalid("image cannot be empty")
    if tail and (order.mode, order.seconds) not in model.tails:
        raise invalid("image_tail is not supported by the current model and mode")
    if tail and order.sound and not model.tail_with_sound:
        raise invalid("image_tail is not supported when sound is on")
    return _read({"image": image, "image_tail": tail}, images.LEGACY_BYTES)


def _voices(body: Mapping[str, Any], model: Model, order: VideoOrder) -> bool:
    listed = body.get("voice_list")
    if not listed:
        return False
    if not isinstance(listed, list) or not model.voices or order.mode != "pro":
        raise invalid("voice_list is not supported by the current model and mode")
    if len(listed) > model.voices:
        raise invalid(f"voice_list can hold at most {model.voices} voices")
    if not order.sound:
        raise invalid("voice_list needs sound to be on")
    if not all(isinstance(entry, Mapping) and isinstance(entry.get("voice_id"), str) for entry in listed):
        raise invalid("Voice id not found")
    return True


def _elements(body: Mapping[str, Any], model: Model) -> None:
    listed = body.get("element_list")
    if not listed:
        return
    if not isinstance(listed, list) or not model.elements:
        raise invalid("element_list is not supported by the current model")
    if body.get("voice_list"):
        raise invalid("element_list and voice_list exclude each other")
    if len(listed) > model.elements:
        raise invalid(f"element_list can hold at most {model.elements} elements")
    # The simulator's account owns no element, so every id is unknown.
    first = listed[0].get("element_id") if isinstance(listed[0], Mapping) else listed[0]
    raise invalid(f"Element id not found: {first}")


def _contents(body: Mapping[str, Any], model: Model, sound: bool) -> tuple[str, dict[str, str], bool]:
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise invalid("contents cannot be empty")
    prompts: list[str] = []
    frames: dict[str, str] = {}
    voices = 0
    for place, item in enumerate(contents):
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind not in CONTENT_TYPES:
            raise invalid(f"contents[{place}].type value '{kind}' is invalid")
        if kind == "prompt":
            prompts.append(text(item, "text", model.contents_characters))
        elif kind in FRAMES:
            url = text(item, "url", None)
            if not url.strip():
                raise invalid(f"content item of type '{kind}' must have a non-blank url")
            if kind in frames:
                raise invalid(f"contents can hold one item of type '{kind}'")
            frames[kind] = url
        elif kind == "voice":
            voices += 1
            if voices > model.voices or not sound:
                raise invalid("content item of type 'voice' is not supported by the current model and audio")
        elif not model.elements:
            raise invalid("content item of type 'element' is not supported by the current model")
        else:
            # The simulator's account owns no element, so every id is unknown.
            raise invalid(f"Element id not found: {item.get('element_id')}")
    if len(prompts) != 1 or not prompts[0].strip():
        raise invalid("content item of type 'prompt' must have non-blank text")
    return prompts[0], frames, bool(voices)


def _frames(frames: Mapping[str, str], model: Model, settings: Settings) -> dict[str, Any]:
    """Return the order's fields that come from the frames."""
    if "first_frame" not in frames:
        raise invalid("content item of type 'first_frame' is required")
    if "last_frame" in frames:
        if (settings.mode, settings.seconds) not in model.tails:
            raise invalid(
                "content item of type 'last_frame' is not supported by the current model and resolution"
            )
        if settings.sound and not model.tail_with_sound:
            raise invalid("content item of type 'last_frame' is not supported with audio")
    return _read({name: frames.get(name, "") for name in FRAMES}, images.STANDARD_BYTES)


def _read(given: Mapping[str, str], limit: int) -> dict[str, Any]:
    """Return the order's `start` and `end` out of these two fields, or that Kling could not fetch them."""
    if any(images.is_url(value) for value in given.values()):
        return {"unreachable_media": True}
    read = [images.read_image(name, value, limit) if value else None for name, value in given.items()]
    return dict(zip(("start", "end"), read, strict=True))
