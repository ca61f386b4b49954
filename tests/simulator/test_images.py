"""What an inline picture must be, at the limit, just inside and just outside."""

from __future__ import annotations

import base64

import pytest

from kling_takes.simulator import images
from kling_takes.simulator.answers import Refusal


def read(value: str, limit: int = images.LEGACY_BYTES) -> bytes:
    return images.read_image("image", value, limit)


@pytest.mark.parametrize("size", [(300, 300), (300, 750), (750, 300), (3000, 2000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_within_the_limits_is_taken(picture, size, kind):
    assert read(picture(*size, kind=kind))[:2] in (b"\x89P", b"\xff\xd8")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((299, 300), "299x300; each side must be at least 300px"),
        ((300, 299), "300x299; each side must be at least 300px"),
        ((300, 751), "300x751; the aspect ratio must be within 1:2.5 to 2.5:1"),
        ((751, 300), "751x300; the aspect ratio"),
    ],
)
def test_a_picture_outside_the_limits_is_refused_with_its_numbers(picture, size, words):
    with pytest.raises(Refusal) as caught:
        read(picture(*size))
    assert (caught.value.http, caught.value.code) == (400, 1201)
    assert words in str(caught.value)


def test_a_data_prefix_is_refused(picture):
    with pytest.raises(Refusal, match="without the 'data:' prefix"):
        read("data:image/png;base64," + picture())


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP"])
def test_another_format_is_refused(picture, kind):
    with pytest.raises(Refusal, match="not a readable"):
        read(picture(kind=kind))


@pytest.mark.parametrize("value", ["nonsense!", "abc", "ä", base64.b64encode(b"no picture").decode()])
def test_what_is_no_picture_is_refused(value):
    with pytest.raises(Refusal):
        read(value)


def test_a_damaged_picture_is_refused(picture):
    whole = base64.b64decode(picture(800, 600, kind="JPEG"))
    with pytest.raises(Refusal, match="not a readable"):
        read(base64.b64encode(whole[: len(whole) // 2]).decode())


def test_the_weight_counts_as_base64(picture):
    value = picture()
    assert read(value, len(value))
    with pytest.raises(Refusal, match="larger than"):
        read(value, len(value) - 1)
    assert (images.LEGACY_BYTES, images.STANDARD_BYTES) == (10_000_000, 50_000_000)
