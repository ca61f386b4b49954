"""Takes that are kept on the disk: which files are whole, and which make room."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kling_takes.apis import kept
from kling_takes.tests.throwaway import sound


def video(ending: str, **options: str) -> bytes:
    """A second of noise."""
    place = Path(tempfile.mkdtemp()) / f"noise.{ending}"  # moving the index to the front needs a real file
    with av.open(str(place), "w", format=ending, options=options) as container:
        track = container.add_stream("libvpx" if ending == "webm" else "mpeg4", rate=8)
        track.width, track.height = 64, 48
        track.pix_fmt = "yuv420p"
        for _ in range(8):
            noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(track.encode(None))
    data = place.read_bytes()
    shutil.rmtree(place.parent)
    return data


def picture(form: str) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(2).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


WHOLE = [
    ("video", "index at the end", video("mp4")),
    ("video", "index in front", video("mp4", movflags="faststart")),
    ("video", "mov", video("mov")),
    ("video", "webm", video("webm")),
    ("image", "png", picture("PNG")),
    ("image", "jpeg", picture("JPEG")),
    ("image", "webp", picture("WEBP")),
    ("audio", "mp3", sound("mp3")),
    ("audio", "wav", sound("wav")),
]
NAMES = [name for _, name, _ in WHOLE]


@pytest.mark.parametrize(("kind", "name", "data"), WHOLE, ids=NAMES)
def test_a_whole_file_opens_as_what_it_is(
    tmp_path: Path, kind: kept.OutputKind, name: str, data: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    assert kept.is_whole(file, kind)
    assert kept.is_whole(file, kind, len(data))
    assert not kept.is_whole(file, kind, len(data) + 1)
    assert not any(kept.is_whole(file, other) for other in ("video", "image", "audio") if other != kind)


#: A WebM is a stream: that its end is missing shows by its length alone.
FRAMED = [entry for entry in WHOLE[:6] if entry[1] != "webm"]


@pytest.mark.parametrize(("kind", "name", "data"), FRAMED, ids=[name for _, name, _ in FRAMED])
def test_a_file_cut_in_the_middle_does_not_open(
    tmp_path: Path, kind: kept.OutputKind, name: str, data: bytes
) -> None:
    for share in (0.3, 0.6, 0.95):
        file = tmp_path / "file"
        file.write_bytes(data[: int(len(data) * share)])
        assert not kept.is_whole(file, kind), share


@pytest.mark.parametrize("data", [b"", b"<html>", b"\0" * 5000, b"\0\0\0\x18ftypmp42" + bytes(900)])
def test_what_is_not_a_video_does_not_open(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file.mp4"
    file.write_bytes(data)
    assert not kept.is_whole(file, "video")
    assert not kept.is_whole(tmp_path / "not there", "video")


def put(folder: Path, name: str, size: int, unused_hours: float) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(bytes(size))
    used = time.time() - unused_hours * 3600
    os.utime(file, (used, used))
    return file


def test_the_longest_unused_make_room_and_none_that_was_used_within_the_hour(tmp_path: Path) -> None:
    old, older, used = (
        put(tmp_path, f"{name}.mp4", 100, hours) for name, hours in [("a", 5), ("b", 9), ("c", 0.5)]
    )
    assert kept.make_room(tmp_path, 300) == []
    assert kept.make_room(tmp_path, 200) == ["b.mp4"]
    assert (old.exists(), older.exists(), used.exists()) == (True, False, True)
    assert kept.make_room(tmp_path, 0) == ["a.mp4"]
    assert used.exists()


def test_a_file_that_is_handed_out_counts_as_used(tmp_path: Path) -> None:
    handed_out = put(tmp_path, "a.mp4", 100, 9)
    put(tmp_path, "b.mp4", 100, 5)
    kept.mark_used(handed_out)
    assert kept.make_room(tmp_path, 100) == ["b.mp4"]


def test_halves_that_nobody_goes_on_with_are_removed_and_others_stay(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4.77-ab.part", 100, 30)
    put(tmp_path, "a.mp4.77-ab.part.json", 10, 30)
    fresh = put(tmp_path, "b.mp4.78-cd.part", 100, 2)
    assert kept.make_room(tmp_path, 1e9) == []
    assert list(tmp_path.iterdir()) == [fresh]


def test_a_folder_that_is_not_there_needs_no_room(tmp_path: Path) -> None:
    assert kept.make_room(tmp_path / "takes", 0) == []
