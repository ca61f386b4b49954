"""What Kling sells: one module and one row for each product, and where the tasks of all others are found."""

from __future__ import annotations

from typing import Any

from .base import Product
from .image_to_video import IMAGE_TO_VIDEO
from .text_to_video import TEXT_TO_VIDEO

#: every product that can be bought here, by Kling's name of it; the likeliest first
PRODUCTS: dict[str, Product[Any]] = {product.name: product for product in (TEXT_TO_VIDEO, IMAGE_TO_VIDEO)}

#: where ``/v1/`` keeps the tasks of products that nothing here buys; they can be collected all the same
_FOUND_ONLY = {
    "omni-video": "/v1/videos/omni-video",
    "motion-control": "/v1/videos/motion-control",
    "avatar": "/v1/videos/avatar/image2video",
    "lip-sync": "/v1/videos/lip-sync",
    "advanced-lip-sync": "/v1/videos/advanced-lip-sync",
    "effects": "/v1/videos/effects",
    "video-extend": "/v1/videos/video-extend",
    "multi-image2video": "/v1/videos/multi-image2video",
    "multi-elements": "/v1/videos/multi-elements",
}


def legacy_paths() -> dict[str, str]:
    """Return where ``/v1/`` keeps the tasks of each product, the likeliest first."""
    sold = {name: product.paths for name, product in PRODUCTS.items()}
    return {name: paths["legacy"] for name, paths in sold.items() if "legacy" in paths} | _FOUND_ONLY
