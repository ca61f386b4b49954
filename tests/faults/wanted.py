"""The takes of a story as requests, as a program without nodes makes them."""

from __future__ import annotations

import functools
import io

from PIL import Image

from kling_takes.apis.kling.request import KlingRequest
from kling_takes.tests.builders import image_request, picture, text_request
from kling_takes.tests.faults.scenario import PICTURED, TAKES

#: width and height of the picture, which Kling takes
SIZE = (400, 320)


def request_of(take: int) -> KlingRequest:
    """Return the request of a take, without its number."""
    prompt, model = TAKES[take]
    if take != PICTURED:
        return text_request(prompt=prompt, model_name=model)
    return image_request(prompt=prompt, model_name=model, image=picture(*SIZE, data=_png()))


@functools.cache
def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", SIZE, "white").save(file, "PNG")
    return file.getvalue()
