"""Media on their way to Kling."""

from .pictures import PictureRefused, encode_image

__all__ = ["PictureRefused", "encode_image"]
