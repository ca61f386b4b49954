"""Media on their way to Kling."""

from .pictures import PictureRefused, encode_image, packed

__all__ = ["PictureRefused", "encode_image", "packed"]
