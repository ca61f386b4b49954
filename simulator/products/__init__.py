"""The table of products: a new product is one module here and one row below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..product import Product
from . import image_to_video, lookup_only, text_to_video

PRODUCTS: Mapping[str, Product[Any]] = {
    product.name: product
    for product in (
        *lookup_only.PRODUCTS,
        text_to_video.PRODUCT,
        image_to_video.PRODUCT,
    )
}
