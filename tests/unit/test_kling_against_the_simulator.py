"""The second opinion: the simulator's own rules accept what is sent, as the video that was asked for.

The simulator keeps its own copy of Kling's rules, so a mistake has to be made twice to pass here.
"""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest
from PIL import Image

from kling_takes.apis.kling import camera
from kling_takes.apis.kling.camera import CAMERA_AXES, KlingCameraControl
from kling_takes.apis.kling.products import PRODUCTS
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.products.video import VideoRequest
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.simulator import motion
from kling_takes.simulator.offer import Offer
from kling_takes.simulator.order import VideoOrder
from kling_takes.simulator.products import PRODUCTS as JUDGES
from kling_takes.tests.builders import TABLE, create, picture, price, problems, simple

#: Fields that the simulator says Kling would drop, and that may be sent all the same.
HARMLESS = {
    "mode",  # the two master models have none; the node says so
}


def encoded(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(stream, "PNG")
    return stream.getvalue()


START = picture(400, 300, encoded("red"), "a")
END = picture(400, 300, encoded("blue"), "b")


def two_shots(length: int) -> tuple[KlingShot, ...]:
    return (KlingShot(prompt="a fox, red", duration=1), KlingShot(prompt="it runs", duration=length - 1))


def wanted(name: str) -> list[VideoRequest]:
    """Combinations of this model that the rules allow; tests/golden has every length, these have some."""
    found: list[VideoRequest] = []
    moves = (None, simple(zoom=-2), KlingCameraControl(type="forward_up"))
    for mode, length, sound, move in itertools.product(
        ("std", "pro", "4k"), (3, 5, 10, 15), (None, "on"), moves
    ):
        common: dict[str, Any] = {"model_name": name, "mode": mode, "duration": str(length), "sound": sound}
        one = {**common, "prompt": "a fox", "camera_control": move}
        several = {**common, "shots": two_shots(length)}
        ratio = {3: "16:9", 5: "16:9", 10: "9:16", 15: "1:1"}[length]
        found.append(KlingText2VideoRequest(aspect_ratio=ratio, **one))
        found += [KlingImage2VideoRequest(image=START, image_tail=tail, **one) for tail in (None, END)]
        if move is None:
            found.append(KlingText2VideoRequest(negative_prompt="rain", **one))
            found.append(KlingText2VideoRequest(aspect_ratio=ratio, **several))
            found += [
                KlingImage2VideoRequest(image=START, image_tail=tail, **several) for tail in (None, END)
            ]
    return [request for request in found if not problems(request)]


def judged(request: VideoRequest, dialect: str) -> VideoOrder:
    spec = TABLE.specs[request.model_name]
    endpoint, made = create(request, spec, dialect, "kt-1")
    body = made.model_dump(exclude_none=True, mode="json")
    if dialect == "legacy":
        return JUDGES[request.product].read_legacy(body, Offer(retired_models=True))
    return JUDGES[request.product].read_standard(endpoint.path.rpartition("/")[2], body, Offer())


@pytest.mark.parametrize("name", sorted({name for product in PRODUCTS for name in TABLE.names(product)}))
def test_what_is_sent_is_accepted_and_is_the_video_that_was_asked_for(name: str) -> None:
    spec = TABLE.specs[name]
    allowed = wanted(name)
    assert allowed
    for request in allowed:
        for dialect in spec.dialects:
            if problems(request, dialect):
                continue
            order = judged(request, dialect)
            asked = f"{dialect} {request!r}"
            assert set(order.ignored) <= HARMLESS, asked
            if "mode" not in order.ignored:
                assert order.mode == request.mode, asked
                cost = price(request)
                assert cost is not None
                assert JUDGES[order.product].units(order) == pytest.approx(cost.units), asked
            assert order.product == request.product, asked
            assert order.seconds == request.seconds, asked
            assert order.sound == (request.sound == "on" or spec.sound_always), asked
            assert order.negative_prompt == request.negative_prompt, asked
            assert [(shot.prompt, shot.seconds) for shot in order.shots] == [
                (shot.prompt, shot.duration) for shot in request.shots or ()
            ], asked
            assert order.external_task_id == "kt-1"
            if isinstance(request, KlingText2VideoRequest):
                assert order.aspect_ratio == request.aspect_ratio, asked
            else:
                assert order.start == START.data
                assert order.end == (END.data if request.image_tail else None), asked


@pytest.mark.parametrize("value", [-10, -5, -1, 1, 5, 10])
@pytest.mark.parametrize("axis", CAMERA_AXES)
def test_the_words_for_a_move_are_understood_as_that_move(axis: str, value: float) -> None:
    understood = motion.camera_in_words(camera.with_words("a fox runs, in the rain", simple(**{axis: value})))
    assert understood is not None
    assert understood.type == "simple"
    moving = {name: getattr(understood, name) for name in CAMERA_AXES if getattr(understood, name)}
    assert list(moving) == [axis]
    assert (moving[axis] > 0) == (value > 0)


@pytest.mark.parametrize("kind", ["down_back", "forward_up", "right_turn_forward", "left_turn_forward"])
def test_the_words_for_a_preset_are_understood_as_that_preset(kind: Any) -> None:
    understood = motion.camera_in_words(camera.with_words("a fox", KlingCameraControl(type=kind)))
    assert understood is not None
    assert understood.type == kind
