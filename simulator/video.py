"""From an order to an MP4: H.264, yuv420p, 24 frames a second, the asked shape and the exact length."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import motion
from .caption import Caption, Planes
from .order import Camera, Shot, VideoOrder
from .results import Stopped
from .scene import SCENE_SIDE, Change, Painting, Picture
from .tone import tone

FPS = 24
SAMPLE_RATE = 48_000
SHORT_SIDE = {"std": 720, "pro": 1080, "4k": 2160}  # pixels
CODEC = {"preset": "ultrafast", "crf": "22", "threads": "2"}
TINY_CODEC = {"preset": "ultrafast", "threads": "1"}


def make(order: VideoOrder, target: Path, stop: threading.Event) -> None:
    """Write an order's video to `target`; raise Stopped when `stop` is set meanwhile."""
    width, height = frame_size(order)
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = container.add_stream("libx264", rate=FPS, options=CODEC)
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo") if order.sound else None
        notes = tone(order.words() or order.model, order.seconds, SAMPLE_RATE) if sound else iter(())
        written = 0
        for number, planes in enumerate(_frames(order, (width, height))):
            if stop.is_set():
                raise Stopped
            container.mux(picture.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            while sound and written < (number + 1) * SAMPLE_RATE / FPS:
                chunk = next(notes, None)
                if chunk is None:
                    break
                frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = SAMPLE_RATE, written
                written += frame.samples
                container.mux(sound.encode(frame))
        container.mux(picture.encode())
        if sound:
            container.mux(sound.encode())


def frame_size(order: VideoOrder) -> tuple[int, int]:
    """Return width and height: the asked ratio, or the first picture's, at the mode's resolution."""
    source = order.start or order.end
    if source:
        with Image.open(io.BytesIO(source)) as opened:
            across, upright = opened.size
            if opened.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                across, upright = upright, across
    else:
        across, upright = (int(part) for part in (order.aspect_ratio or "16:9").split(":"))
    return _scaled(across, upright, SHORT_SIDE[order.mode])


def _scaled(across: float, upright: float, short: int) -> tuple[int, int]:
    factor = short / min(across, upright)
    return round(across * factor / 2) * 2, round(upright * factor / 2) * 2


def _frames(order: VideoOrder, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    shots = order.shots or (Shot(order.prompt, order.seconds),)
    small = _scaled(*size, SCENE_SIDE)
    begins = 0
    for place, shot in enumerate(shots):
        camera = order.camera or motion.camera_in_words(shot.prompt)
        facts = [order.model, order.mode, f"{order.seconds} s"]
        facts += [f"{size[0]} x {size[1]}", *(["sound"] if order.sound else [])]
        facts += [motion.name(camera)] if camera else []
        heading = f"Shot {place + 1} of {len(shots)}" if order.shots else _pictures_named(order)
        scene = _scene(order, shot, place, len(shots), small)
        caption = Caption(size, shot.prompt, facts, heading, order.seconds)
        count = shot.seconds * FPS
        for number in range(count):
            moment = number / (count - 1)
            drawn = scene.frame(moment, _view(order, camera, moment))
            frame = av.VideoFrame.from_ndarray(np.asarray(drawn), format="rgb24")
            scaled = frame.reformat(*size, format="yuv420p", interpolation="BICUBIC")
            pixels = scaled.to_ndarray().astype(np.uint8, copy=False)
            caption.lay(_planes(pixels, size), (begins + number) / FPS)
            yield pixels
        begins += count


def _pictures_named(order: VideoOrder) -> str:
    if order.start and order.end:
        return "Start picture to end picture"
    return "Start picture" if order.start else "To the end picture" if order.end else ""


def _view(order: VideoOrder, camera: Camera | None, moment: float) -> motion.View:
    if camera is None and (order.start or order.end):
        # The first and the last frame must be the given pictures as they are, so the camera breathes between.
        return motion.View(scale=1 + 0.06 * math.sin(math.pi * moment))
    return motion.view_at(camera, moment)


def _scene(
    order: VideoOrder, shot: Shot, place: int, count: int, size: tuple[int, int]
) -> Painting | Picture | Change:
    words = f"{place}:{shot.prompt}"
    first = Picture(order.start, size) if order.start and place == 0 else Painting(words, size)
    if order.end and place == count - 1:
        return Change(first, Picture(order.end, size))
    return first


def _planes(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Planes:
    """Return the three planes of a yuv420p picture as writable views."""
    width, height = size
    flat = pixels.reshape(-1)
    luma, quarter = width * height, width * height // 4
    half = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + quarter].reshape(half),
        flat[luma + quarter : luma + 2 * quarter].reshape(half),
    )


def tiny() -> bytes:
    """Return a video of one second, 64 by 64 pixels, that any player opens."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=TINY_CODEC)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(FPS):
            picture = np.full((64, 64, 3), number * 255 // FPS, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()
