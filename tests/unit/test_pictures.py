"""Pictures as they are sent: the right frame, the right pixels, the right size."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kling_takes.apis.kling.models import DialectLimits
from kling_takes.apis.kling.pictures import sent_size
from kling_takes.apis.media import PictureRefused, encode_image, pictures
from kling_takes.tests.builders import TABLE

LIMITS = TABLE.limits["legacy"]


def limits(image_bytes: int) -> DialectLimits:
    return LIMITS.model_copy(update={"image_bytes": image_bytes})


def plain(height: int = 300, width: int = 400, value: float = 0.5, channels: int = 3) -> Any:
    return np.full((height, width, channels), value, dtype=np.float32)


def noise(height: int, width: int, channels: int = 3) -> Any:
    return np.random.default_rng(7).random((height, width, channels), dtype=np.float32)


def shown(picture: Any) -> Any:
    """The pixels somebody sees who opens the sent bytes."""
    with Image.open(io.BytesIO(picture.data)) as opened:
        assert opened.mode == "RGB"
        assert opened.size == (picture.width, picture.height)
        return np.asarray(opened)


def test_a_picture_goes_out_as_the_same_pixels() -> None:
    pixels = noise(300, 500)
    sent = encode_image(pixels, LIMITS)
    assert sent.mime == "image/png"
    assert sent.note == ""
    assert (sent.width, sent.height) == (500, 300)
    assert np.array_equal(shown(sent), np.rint(pixels * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("value", "byte"),
    [
        (0.0, 0),
        (1.0, 255),
        (0.5, 128),
        (0.499 / 255, 0),
        (0.501 / 255, 1),
        (254.499 / 255, 254),
        (254.501 / 255, 255),
        (-0.3, 0),
        (1.7, 255),
        (float("nan"), 0),
        (float("inf"), 255),
        (float("-inf"), 0),
    ],
)
def test_a_value_becomes_the_nearest_step_and_stays_in_range(value: float, byte: int) -> None:
    assert int(shown(encode_image(plain(value=value), LIMITS))[0, 0, 0]) == byte


def test_of_a_batch_the_first_picture_is_used_and_that_is_said() -> None:
    batch = np.stack([plain(value=0.2), plain(value=0.8), plain(value=0.9)])
    sent = encode_image(batch, LIMITS)
    assert sent.note == "The first of 3 pictures was used."
    assert sent.pixels_sha256 == encode_image(plain(value=0.2), LIMITS).pixels_sha256


def test_a_batch_of_one_needs_no_note() -> None:
    assert encode_image(plain()[None], LIMITS).note == ""


def test_transparency_is_laid_over_white_and_that_is_said() -> None:
    pixels = plain(value=0.0, channels=4)
    pixels[:, :100, 3] = 1.0
    pixels[:, 100:200, 3] = 0.5
    sent = encode_image(pixels, LIMITS)
    row = shown(sent)[0]
    assert [int(row[x, 0]) for x in (0, 150, 300)] == [0, 128, 255]
    assert sent.note == "The transparent parts were laid over white."


def test_an_alpha_channel_that_hides_nothing_needs_no_note() -> None:
    pixels = np.concatenate([noise(300, 400), plain(value=1.0, channels=1)], axis=2)
    sent = encode_image(pixels, LIMITS)
    assert sent.note == ""
    assert sent.pixels_sha256 == encode_image(pixels[..., :3], LIMITS).pixels_sha256


def test_grey_becomes_colour() -> None:
    sent = encode_image(plain(value=0.25, channels=1), LIMITS)
    assert shown(sent)[0, 0].tolist() == [64, 64, 64]


def test_bytes_are_taken_as_they_are() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert np.array_equal(shown(encode_image(pixels, LIMITS)), pixels)
    opaque = np.concatenate([pixels, np.full((300, 400, 1), 255, dtype=np.uint8)], axis=2)
    assert np.array_equal(shown(encode_image(opaque, LIMITS)), pixels)


def test_the_given_pixels_are_not_changed() -> None:
    pixels = noise(300, 400, 4)
    before = pixels.copy()
    encode_image(pixels, LIMITS)
    assert np.array_equal(pixels, before)


def test_the_hash_is_of_shape_and_pixels_and_never_changes() -> None:
    # A change of this number is a new take, and a second bill, for everyone who sends a picture.
    rgb = np.full((300, 400, 3), 128, dtype=np.uint8)
    expected = hashlib.sha256(b"300x400x3:" + rgb.tobytes()).hexdigest()
    assert encode_image(plain(value=0.5), LIMITS).pixels_sha256 == expected
    turned = encode_image(plain(400, 300, value=0.5), LIMITS).pixels_sha256
    assert turned != expected


def test_the_same_picture_is_the_same_take_however_it_is_packed() -> None:
    pixels = noise(400, 500)
    png, jpeg = encode_image(pixels, LIMITS), encode_image(pixels, limits(300_000))
    small = encode_image(pixels, limits(80_000))
    assert (png.mime, jpeg.mime, small.mime) == ("image/png", "image/jpeg", "image/jpeg")
    assert small.width < 500
    assert png.pixels_sha256 == jpeg.pixels_sha256 == small.pixels_sha256


@pytest.mark.parametrize(("height", "width"), [(300, 300), (300, 750), (750, 300)])
def test_a_picture_just_inside_the_shape_is_taken(height: int, width: int) -> None:
    assert encode_image(plain(height, width), LIMITS).height == height


@pytest.mark.parametrize(
    ("height", "width", "numbers"),
    [
        (299, 400, "400 x 299"),
        (400, 299, "299 x 400"),
        (300, 751, "751 x 300"),
        (751, 300, "300 x 751"),
        (1, 1, "1 x 1"),
    ],
)
def test_a_picture_just_outside_the_shape_is_refused_with_the_numbers(
    height: int, width: int, numbers: str
) -> None:
    with pytest.raises(pictures.PictureShapeRefused, match=numbers):
        encode_image(plain(height, width), LIMITS)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 300, 400, 3), dtype=np.float32),
        np.zeros((0, 400, 3), dtype=np.float32),
        np.zeros((300, 400), dtype=np.float32),
        np.zeros((300, 400, 2), dtype=np.float32),
        np.zeros((3, 300, 400), dtype=np.float32),
        np.zeros((1, 1, 300, 400, 3), dtype=np.float32),
        np.zeros((300, 400, 3), dtype=np.int32),
        np.zeros((300, 400, 3), dtype=bool),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(pixels: Any) -> None:
    with pytest.raises(pictures.PictureEmpty, match=r"\.$"):
        encode_image(pixels, LIMITS)


def test_base64_counts_towards_the_limit() -> None:
    pixels = noise(300, 400)
    png = encode_image(pixels, LIMITS)
    sent = len(png.base64())
    assert sent == sent_size(png.data) > len(png.data)
    assert encode_image(pixels, limits(sent)).mime == "image/png"
    assert encode_image(pixels, limits(sent - 1)).mime == "image/jpeg"


@pytest.mark.parametrize("most", [350_000, 300_000, 250_000, 200_000])
def test_a_jpeg_has_the_best_quality_that_fits_and_says_so(most: int) -> None:
    pixels = noise(400, 500)
    sent = encode_image(pixels, limits(most))
    assert len(sent.base64()) <= most
    assert (sent.width, sent.height) == (500, 400)
    quality = int(sent.note.split("quality ")[1].split(",")[0])
    same, better = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    picture.save(same, "JPEG", quality=quality, subsampling=0)
    picture.save(better, "JPEG", quality=quality + 1, subsampling=0)
    assert sent.data == same.getvalue()
    assert quality < 100
    assert (len(better.getvalue()) + 2) // 3 * 4 > most
    assert "smaller" not in sent.note


def test_a_picture_is_made_smaller_only_when_no_fair_quality_fits() -> None:
    pixels = noise(406, 1015)  # the first step down rounds to 863 x 345, which is longer than 2.5:1
    floor = io.BytesIO()
    rgb = np.rint(pixels * 255).astype(np.uint8)
    Image.fromarray(rgb).save(floor, "JPEG", quality=pictures.JPEG_FLOOR, subsampling=0)
    most = (len(floor.getvalue()) + 2) // 3 * 4
    whole = encode_image(pixels, limits(most))
    assert (whole.width, whole.height) == (1015, 406)
    smaller = encode_image(pixels, limits(most - 1))
    assert smaller.width < 1015
    assert smaller.width <= 2.5 * smaller.height, "rounding made it longer than Kling takes"
    assert len(smaller.base64()) < most
    assert f"from 1015 x 406 to {smaller.width} x {smaller.height} pixels" in smaller.note
    assert shown(smaller).shape == (smaller.height, smaller.width, 3)


def test_a_picture_that_cannot_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(pictures.PictureTooLarge, match="400 x 300") as caught:
        encode_image(noise(300, 400), limits(2_000))
    assert "0.002 MB" in str(caught.value)


def test_the_limit_is_the_one_of_the_table() -> None:
    assert LIMITS.image_bytes == 10_000_000
    pixels = noise(1700, 1700)
    assert encode_image(pixels, LIMITS).mime == "image/jpeg"
    assert encode_image(pixels, TABLE.limits["standard"]).mime == "image/png"


def test_every_refusal_is_a_value_error() -> None:
    for kind in (pictures.PictureEmpty, pictures.PictureShapeRefused, pictures.PictureTooLarge):
        assert issubclass(kind, PictureRefused)
        assert issubclass(kind, ValueError)
