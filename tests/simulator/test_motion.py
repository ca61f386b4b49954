"""Camera moves: what a view becomes, and that the frames move the way they should."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kling_takes.simulator import motion
from kling_takes.simulator.motion import View, camera_in_words, view_at
from kling_takes.simulator.order import Camera
from kling_takes.simulator.scene import Painting, turned


@pytest.mark.parametrize(
    ("axis", "field"), [("horizontal", "x"), ("pan", "x"), ("vertical", "y"), ("tilt", "y"), ("roll", "roll")]
)
def test_an_axis_moves_one_thing_in_its_own_direction(axis, field):
    for sign in (1, -1):
        end = view_at(Camera("simple", **{axis: 10.0 * sign}), 1.0)
        assert np.sign(getattr(end, field)) == sign
        others = {"x": 0.0, "y": 0.0, "roll": 0.0, "scale": 1.0} | {field: getattr(end, field)}
        assert (end.x, end.y, end.roll, end.scale) == tuple(others.values())
        assert end.parallax == (1.0 if axis in ("horizontal", "vertical") else 0.0)
    assert getattr(view_at(Camera("simple", **{axis: 10.0}), 0.0), field) == 0


def test_a_longer_lens_comes_closer_and_a_shorter_one_opens_the_view():
    closer = [view_at(Camera("simple", zoom=-10.0), at).scale for at in (0, 0.5, 1)]
    wider = [view_at(Camera("simple", zoom=10.0), at).scale for at in (0, 0.5, 1)]
    assert closer == sorted(closer)
    assert closer[0] == 1.0
    assert wider == sorted(wider, reverse=True)
    assert wider[-1] == 1.0


@pytest.mark.parametrize(
    ("kind", "x", "y", "closer"),
    [
        ("down_back", 0, -1, -1),
        ("forward_up", 0, 1, 1),
        ("right_turn_forward", 1, 0, 1),
        ("left_turn_forward", -1, 0, 1),
    ],
)
def test_a_preset_goes_where_its_name_says(kind, x, y, closer):
    begin, end = view_at(Camera(kind), 0.0), view_at(Camera(kind), 1.0)
    assert (np.sign(end.x - begin.x), np.sign(end.y - begin.y)) == (x, y)
    assert np.sign(end.scale - begin.scale) == closer


@pytest.mark.parametrize(
    ("prompt", "camera"),
    [
        ("A fox. The camera slides to the left.", Camera("simple", horizontal=-6.0)),
        ("A fox. The camera slowly pans to the right.", Camera("simple", pan=3.0)),
        ("The camera quickly rises straight up.", Camera("simple", vertical=10.0)),
        ("The camera moves straight down.", Camera("simple", vertical=-6.0)),
        ("The camera tilts down.", Camera("simple", tilt=-6.0)),
        ("the camera rolls counter-clockwise", Camera("simple", roll=-6.0)),
        ("the camera rolls clockwise", Camera("simple", roll=6.0)),
        ("The camera zooms in.", Camera("simple", zoom=-6.0)),
        ("The camera moves down and backward.", Camera("down_back")),
        ("The camera moves forward and tilts up.", Camera("forward_up")),
        ("The camera turns to the right and moves forward.", Camera("right_turn_forward")),
        ("The camera turns to the left and moves forward.", Camera("left_turn_forward")),
        ("A fox turns to the left. It zooms in on a mouse.", None),
        ("A camera on a table.", None),
        ("", None),
    ],
)
def test_a_move_is_read_from_the_words_of_a_prompt(prompt, camera):
    assert camera_in_words(prompt) == camera


def test_the_pack_s_own_words_are_understood():
    pack = pytest.importorskip("kling_takes.apis.kling.camera")

    for axis in ("horizontal", "vertical", "pan", "tilt", "roll", "zoom"):
        for amount in (-9, -5, -2, 2, 5, 9):
            config = pack.KlingCameraConfig(**{axis: amount})
            control = pack.KlingCameraControl(type="simple", config=config)
            found = camera_in_words(pack.words(control))
            assert np.sign(getattr(found, axis)) == np.sign(amount), pack.words(control)
    for kind in ("down_back", "forward_up", "right_turn_forward", "left_turn_forward"):
        assert camera_in_words(pack.words(pack.KlingCameraControl(type=kind))) == Camera(kind)


def test_a_move_has_a_name_for_the_caption():
    assert motion.name(Camera("simple", pan=-5.0)) == "camera pan -5"
    assert motion.name(Camera("down_back")) == "camera down back"


def _bright(picture: Image.Image) -> tuple[float, float]:
    """Return the middle (x, y) of what is bright in a picture."""
    rows, columns = np.nonzero(np.asarray(picture.convert("L")) > 128)
    return float(columns.mean()), float(rows.mean())


def _canvas() -> Image.Image:
    canvas = Image.new("RGB", (400, 400))
    canvas.paste((255, 255, 255), (195, 145, 205, 155))  # a dot 50 px above the middle
    return canvas


def test_a_camera_that_goes_right_and_up_sees_things_go_left_and_down():
    still = _bright(turned(_canvas(), (200, 200), View(), shift=True))
    moved = _bright(turned(_canvas(), (200, 200), View(x=0.2, y=0.1), shift=True))
    assert moved[0] - still[0] == pytest.approx(-40, abs=1)
    assert moved[1] - still[1] == pytest.approx(20, abs=1)


def test_roll_above_zero_turns_the_picture_clockwise():
    x, y = _bright(turned(_canvas(), (200, 200), View(roll=90)))
    assert (x, y) == (pytest.approx(150, abs=1.5), pytest.approx(100, abs=1.5))


def test_magnifying_moves_things_away_from_the_middle():
    _, y = _bright(turned(_canvas(), (200, 200), View(scale=1.5)))
    assert y == pytest.approx(100 - 75, abs=1.5)


def test_a_travelling_camera_moves_near_hills_more_than_the_sky():
    painting = Painting("words", (160, 90))
    still = np.asarray(painting.frame(0.0, View(parallax=1.0)), dtype=np.int16)
    moved = np.asarray(painting.frame(0.0, View(x=0.2, parallax=1.0)), dtype=np.int16)
    turned_away = np.asarray(painting.frame(0.0, View(x=0.2)), dtype=np.int16)
    assert np.abs(moved - still).mean() > 1
    assert np.abs(moved - turned_away).mean() > 1


def test_a_rolled_view_after_an_upright_one_has_the_room_it_needs():
    painting = Painting("words", (96, 54))
    painting._sparks = painting._sparks[:0]
    upright = np.asarray(painting.frame(0.0, View()))
    assert np.asarray(painting.frame(0.0, View(roll=35))).max(axis=2).min() > 0
    again = np.asarray(painting.frame(0.0, View()))
    assert np.abs(again.astype(np.int16) - upright).mean() < 2


def test_no_move_looks_over_the_edge_of_the_scene():
    painting = Painting("words", (96, 54))
    painting._sparks = painting._sparks[:0]
    moves = [
        Camera("simple", **{axis: 10.0 * sign})
        for axis in ("pan", "vertical", "roll", "zoom")
        for sign in (1, -1)
    ]
    moves += [Camera(kind) for kind in ("down_back", "forward_up", "right_turn_forward", "left_turn_forward")]
    for camera in moves:
        for moment in (0.0, 0.5, 1.0):
            frame = np.asarray(painting.frame(moment, view_at(camera, moment)))
            assert frame.max(axis=2).min() > 0, (camera, moment)
