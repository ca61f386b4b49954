"""Products whose tasks can be looked up and that the simulator does not make."""

from __future__ import annotations

from typing import Any

from ..product import Product
from .video import VideoProduct

PRODUCTS: tuple[Product[Any], ...] = (
    VideoProduct(
        name="omni-video",
        legacy_path="/v1/videos/omni-video",
        standard_path="/omni-video",
        product_type="omni-video",
    ),
    VideoProduct(
        name="motion-control",
        legacy_path="/v1/videos/motion-control",
        standard_path="/motion-control",
        product_type="motion-control",
    ),
    VideoProduct(name="multi-image2video", legacy_path="/v1/videos/multi-image2video", retired=True),
    VideoProduct(name="video-extend", legacy_path="/v1/videos/video-extend"),
    VideoProduct(name="lip-sync", legacy_path="/v1/videos/lip-sync"),
    VideoProduct(
        name="advanced-lip-sync",
        legacy_path="/v1/videos/advanced-lip-sync",
        # Kling's page lists only the task id for its query.
        found_by_external_id=False,
    ),
    VideoProduct(name="avatar/image2video", legacy_path="/v1/videos/avatar/image2video"),
    VideoProduct(name="effects", legacy_path="/v1/videos/effects"),
    VideoProduct(name="multi-elements", legacy_path="/v1/videos/multi-elements"),
)
