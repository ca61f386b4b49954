"""The drawn videos: shape, length, what is seen at which second, and that everything moves."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from kling_takes.simulator import caption, video
from kling_takes.simulator.order import Camera, Shot, VideoOrder
from kling_takes.simulator.render import content_key, tiny
from kling_takes.simulator.results import File, Stopped
from kling_takes.simulator.tone import tone


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Draw small videos: the shapes are checked by numbers, and two cores have better things to do."""
    monkeypatch.setattr(video, "SHORT_SIDE", {"std": 144, "pro": 216, "4k": 432})
    monkeypatch.setattr(video, "SCENE_SIDE", 72)


def draw(order: VideoOrder, tmp_path: Path) -> Path:
    target = tmp_path / "drawn.mp4"
    video.make(order, target, threading.Event())
    return target


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in container.decode(video=0)]


def order(**fields) -> VideoOrder:
    return VideoOrder("text2video", "kling-v2-6", "a fox in the snow", **({"seconds": 3} | fields))


def picture(colour: str, picture_maker) -> bytes:
    return base64.b64decode(picture_maker(480, 320, colour))


def near(frame: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Tell whether the middle of a frame has that colour."""
    height, width, _ = frame.shape
    middle = frame[height * 3 // 10 : height * 4 // 10, width * 4 // 10 : width * 6 // 10].mean(axis=(0, 1))
    return bool(np.abs(middle - np.array(colour)).max() < 12)


@pytest.mark.parametrize(
    ("ratio", "mode", "size"),
    [
        ("16:9", "std", (1280, 720)),
        ("16:9", "pro", (1920, 1080)),
        ("16:9", "4k", (3840, 2160)),
        ("9:16", "std", (720, 1280)),
        ("1:1", "pro", (1080, 1080)),
    ],
)
def test_ratio_and_mode_make_the_size(monkeypatch, ratio, mode, size):
    monkeypatch.undo()
    assert video.frame_size(order(aspect_ratio=ratio, mode=mode)) == size


@pytest.mark.parametrize(("size", "expected"), [((400, 300), (960, 720)), ((300, 750), (720, 1800))])
def test_a_picture_gives_its_own_ratio(monkeypatch, picture, size, expected):
    monkeypatch.undo()
    start = base64.b64decode(picture(*size))
    assert video.frame_size(VideoOrder("image2video", "kling-v3", "x", start=start)) == expected


@pytest.mark.parametrize("seconds", [3, 5])
@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
def test_a_video_is_h264_of_24_frames_and_exactly_as_long_as_asked(tmp_path, seconds, ratio):
    path = draw(order(seconds=seconds, aspect_ratio=ratio), tmp_path)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 24
        assert stream.frames == seconds * 24
        assert container.duration == seconds * 1_000_000
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_sound_is_a_real_aac_track_of_the_same_length(tmp_path):
    path = draw(order(sound=True), tmp_path)
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", 48000)
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(sound) / 48000 == pytest.approx(3.0, abs=0.05)
    assert 0.01 < np.abs(sound).mean() < 0.3
    assert np.abs(sound).max() < 0.9


def test_the_tone_fades_in_and_out_and_is_not_the_same_for_every_prompt():
    whole = np.concatenate(list(tone("a", 2, 48000)), axis=1)
    assert whole.shape == (2, 96000)
    assert np.abs(whole[:, :50]).max() < 0.001
    assert np.abs(whole[:, -50:]).max() < 0.001
    assert not np.array_equal(whole, np.concatenate(list(tone("b", 2, 48000)), axis=1))


def test_every_frame_differs_from_the_one_before(tmp_path):
    drawn = frames(draw(order(), tmp_path))
    assert all(np.abs(drawn[place] - drawn[place - 1]).max() > 8 for place in range(1, len(drawn)))


def test_the_prompt_and_the_mark_are_on_the_picture(tmp_path):
    blank = VideoOrder("text2video", "kling-v2-6", "x", seconds=3)
    scene = video._scene(blank, Shot("x", 3), 0, 1, (128, 72)).frame(0.0, video._view(blank, None, 0.0))
    plain = np.asarray(scene.resize((256, 144))).astype(np.int16)
    written = np.abs(frames(draw(blank, tmp_path))[0] - plain).max(axis=2) > 60
    height, width = written.shape
    assert written[: height // 6, width * 3 // 4 :].mean() > 0.2  # SIMULATED
    assert written[height * 3 // 4 :, : width // 2].mean() > 0.05  # the caption


def test_start_and_end_picture_are_where_they_belong(tmp_path, picture):
    teal, orange = base64.b64decode(picture(480, 320, "teal")), base64.b64decode(picture(480, 320, "orange"))
    both = VideoOrder("image2video", "kling-v3", "x", seconds=3, start=teal, end=orange)
    drawn = frames(draw(both, tmp_path))
    assert near(drawn[0], (0, 128, 128))
    assert near(drawn[12], (0, 128, 128))
    assert near(drawn[36], (127, 146, 64))
    assert near(drawn[60], (255, 165, 0))
    assert near(drawn[-1], (255, 165, 0))


def test_one_picture_stays_at_its_end_of_the_video(tmp_path, picture):
    teal = base64.b64decode(picture(480, 320, "teal"))
    drawn = frames(draw(VideoOrder("image2video", "kling-v3", "x", seconds=3, start=teal), tmp_path))
    assert near(drawn[0], (0, 128, 128))
    assert near(drawn[-1], (0, 128, 128))
    drawn = frames(draw(VideoOrder("image2video", "kling-v1-6", "x", seconds=3, end=teal), tmp_path))
    assert not near(drawn[0], (0, 128, 128))
    assert near(drawn[-1], (0, 128, 128))


def test_a_camera_moves_over_a_picture(tmp_path):
    import io

    from PIL import Image

    halves = Image.new("RGB", (480, 320), "black")
    halves.paste((255, 255, 255), (240, 0, 480, 320))
    target = io.BytesIO()
    halves.save(target, "PNG")
    fields = {"seconds": 3, "start": target.getvalue(), "camera": Camera("simple", pan=10.0)}
    drawn = frames(draw(VideoOrder("image2video", "kling-v1-5", "x", **fields), tmp_path))
    row = drawn[0].shape[0] * 4 // 10
    # The camera pans right, so the bright right half comes to the left.
    edges = [int(np.argmax(frame[row, :, 0] > 128)) for frame in (drawn[0], drawn[36], drawn[-1])]
    assert edges[0] > edges[1] > edges[2]


def test_each_shot_is_a_scene_of_its_own_for_its_seconds(tmp_path):
    shots = (Shot("a door", 1), Shot("a garden", 2))
    drawn = frames(draw(VideoOrder("text2video", "kling-v3", "", seconds=3, shots=shots), tmp_path))
    assert len(drawn) == 72
    changes = [float(np.abs(drawn[place] - drawn[place - 1]).mean()) for place in range(1, len(drawn))]
    assert int(np.argmax(changes)) == 23
    assert changes[23] > 5 * sorted(changes)[-2]


def test_a_closing_server_stops_a_drawing(tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        video.make(order(), tmp_path / "never.mp4", stop)


def test_equal_orders_share_a_video_and_others_do_not():
    mp4 = File(0, "mp4")
    assert content_key(order(external_task_id="a"), mp4) == content_key(order(external_task_id="b"), mp4)
    different = [order(), order(seconds=4), order(mode="pro"), order(sound=True), order(aspect_ratio="1:1")]
    different += [order(start=b"1"), order(end=b"1"), order(camera=Camera("down_back"))]
    assert len({content_key(one, mp4) for one in different}) == len(different)
    assert content_key(order(), File(1, "mp4")) != content_key(order(), mp4)


def test_the_tiny_video_is_made_once_and_plays():
    assert tiny() is tiny()
    assert len(tiny()) < 10_000


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (720, 720), (720, 1800), (1800, 720)])
@pytest.mark.parametrize(
    "text", ["", "short", "word " * 500, "x" * 2500, "雪の中の狐" * 100, "🦊 fox\n\nline"]
)
def test_a_caption_fits_into_every_frame(size, text):
    width, height = size
    planes = (
        np.full((height, width), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
    )
    facts = ["kling-v2-5-turbo", "std", "15 s", "1280 x 720", "sound", "camera right turn forward"]
    written = caption.Caption(size, text, facts, "Start picture to end picture", 15)
    for stamp in written._still:
        assert stamp.x >= 0
        assert stamp.y >= 0
        assert stamp.x + stamp.luma.shape[1] <= width
        assert stamp.y + stamp.luma.shape[0] <= height
    written.lay(planes, 7.5)
    assert planes[0].max() > 200


def test_a_stamp_has_the_colours_it_was_painted_in():
    from PIL import Image

    planes = tuple(np.full(shape, 128, np.uint8) for shape in ((8, 8), (4, 4), (4, 4)))
    caption.Stamp.of(Image.new("RGBA", (4, 4), (255, 0, 0, 255)), 2, 2).lay(planes)
    assert planes[0][3, 3] == pytest.approx(81, abs=1)
    assert (planes[1][1, 1], planes[2][1, 1]) == (pytest.approx(90, abs=1), pytest.approx(240, abs=1))
    assert planes[0][0, 0] == 128
