"""The legacy rules as tables: what passes, what is refused in which words, what is ignored."""

from __future__ import annotations

import pytest

from kling_takes.simulator import rules
from kling_takes.simulator.answers import Refusal
from kling_takes.simulator.offer import Offer
from kling_takes.simulator.order import Camera, Shot, VideoOrder
from kling_takes.simulator.products import PRODUCTS

V25, V26, V3 = "kling-v2-5-turbo", "kling-v2-6", "kling-v3"


def check(product: str, body: dict, offer: Offer = Offer()) -> VideoOrder:  # noqa: B008 - frozen
    return PRODUCTS[product].read_legacy(body, offer)


def text(model: str = V26, **fields):
    return check("text2video", {"model_name": model, "prompt": "a fox"} | fields)


def refused(product: str = "text2video", *, retired: bool = False, **fields) -> Refusal:
    body = {"model_name": V26, "prompt": "a fox"} | fields
    with pytest.raises(Refusal) as caught:
        check(product, body, Offer(retired_models=retired))
    return caught.value


def shot(index: int, prompt: str = "words", duration: object = "2") -> dict:
    return {"index": index, "prompt": prompt, "duration": duration}


def shots(*entries: dict, **fields) -> dict:
    defaults = {"model_name": V3, "multi_shot": True, "shot_type": "customize", "prompt": ""}
    return defaults | {"multi_prompt": list(entries), "duration": str(2 * len(entries))} | fields


@pytest.mark.parametrize("model", [V25, V26, V3])
def test_the_living_models_make_a_text_video(model):
    order = text(model)
    assert (order.model, order.mode, order.seconds, order.aspect_ratio, order.sound) == (
        model,
        "std",
        5,
        "16:9",
        False,
    )
    assert order.ignored == ()


@pytest.mark.parametrize(
    "model",
    ["kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-master", "", None],
)
@pytest.mark.parametrize("product", ["text2video", "image2video"])
def test_a_retired_model_and_no_model_at_all_are_not_supported(product, model):
    refusal = refused(product, model_name=model)
    assert (refusal.http, refusal.code, str(refusal)) == (400, 1201, "model is not supported")


@pytest.mark.parametrize("model", ["kling-v3-0", "kling-v2-5", "kling-3.0", "Kling-V3", 7, "kling-video-o1"])
def test_a_name_that_never_was_a_model_is_an_invalid_value(model):
    assert str(refused(model_name=model)) == f"model_name value '{model}' is invalid"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": ""}, "prompt cannot be empty"),
        ({"prompt": "  \n"}, "prompt cannot be empty"),
        ({"prompt": None}, "prompt cannot be empty"),
        ({"prompt": 5}, "prompt value '5' is invalid"),
        ({"prompt": "x" * 2501}, "prompt length cannot exceed 2500"),
        ({"negative_prompt": "x" * 2501}, "negative_prompt length cannot exceed 2500"),
        ({"mode": "4k"}, "mode value '4k' is invalid"),
        ({"mode": "PRO"}, "mode value 'PRO' is invalid"),
        ({"duration": "3"}, "duration value '3' is invalid"),
        ({"duration": 5}, "duration value '5' is invalid"),
        ({"duration": "5.0"}, "duration value '5.0' is invalid"),
        ({"duration": "99"}, "duration value '99' is invalid"),
        ({"cfg_scale": -0.01}, "cfg_scale value '-0.01' is invalid"),
        ({"cfg_scale": 1.01}, "cfg_scale value '1.01' is invalid"),
        ({"cfg_scale": "0.5"}, "cfg_scale value '0.5' is invalid"),
        ({"cfg_scale": True}, "cfg_scale value 'True' is invalid"),
        ({"cfg_scale": float("nan")}, "cfg_scale value 'nan' is invalid"),
        ({"aspect_ratio": "4:3"}, "aspect_ratio value '4:3' is invalid"),
        ({"sound": True}, "sound value 'True' is invalid"),
        ({"sound": "on"}, "sound value 'on' is not supported by the current model and mode"),
        ({"model_name": V25, "mode": "pro", "sound": "on"}, "sound value 'on' is not supported"),
        ({"external_task_id": "a b"}, "external_task_id value 'a b' is invalid"),
        ({"external_task_id": "-a"}, "external_task_id value '-a' is invalid"),
        ({"external_task_id": "x" * 129}, "external_task_id value"),
        ({"watermark_info": True}, "watermark_info value 'True' is invalid"),
        ({"watermark_info": {"enabled": "yes"}}, "enabled value 'yes' is invalid"),
        ({"callback_url": 5}, "callback_url value '5' is invalid"),
        ({"prompt": "<<<voice_1>>> speaks"}, "names a voice"),
    ],
)
def test_a_wrong_value_is_refused_in_kling_s_words(fields, words):
    refusal = refused(**fields)
    assert (refusal.http, refusal.code) == (400, 1201)
    assert words in str(refusal)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "x" * 2500},
        {"negative_prompt": "x" * 2500},
        {"cfg_scale": 0},
        {"cfg_scale": 1},
        {"duration": "10", "mode": "pro", "sound": "on"},
        {"sound": "off", "model_name": V25},
        {"external_task_id": "x" * 128},
        {"model_name": V3, "duration": "15", "mode": "4k", "sound": "on"},
        {"model_name": V3, "duration": "3", "sound": "on"},
    ],
)
def test_a_value_on_the_edge_passes(fields):
    assert text(**({"model": fields.pop("model_name")} if "model_name" in fields else {}), **fields)


@pytest.mark.parametrize("seconds", ["2", "16"])
def test_v3_makes_3_to_15_seconds(seconds):
    assert "duration" in str(refused(model_name=V3, duration=seconds))


def test_fields_that_kling_drops_are_dropped_and_named():
    order = text(seed=1, n=2, cfg_scale=0.4, shot_type="customize", multi_prompt=[shot(1)])
    assert order.ignored == ("seed", "n", "cfg_scale", "shot_type", "multi_prompt")
    assert order.shots == ()


def test_a_camera_field_is_ignored_by_every_living_model_but_must_be_well_formed():
    config = {"type": "simple", "config": {"pan": 5}}
    for model in (V25, V26, V3):
        order = text(model, camera_control=config)
        assert (order.camera, order.ignored) == (None, ("camera_control",))
    assert "camera_control.type" in str(refused(camera_control={"type": "orbit"}))


def test_customized_shots_take_the_prompt_s_place():
    order = check("text2video", shots(shot(1, "door"), shot(2, "garden"), prompt="not used"))
    assert order.shots == (Shot("door", 2), Shot("garden", 2))
    assert (order.prompt, order.seconds, order.ignored) == ("", 4, ("prompt",))


def test_shots_chosen_by_the_model_need_the_prompt():
    body = {"model_name": V3, "multi_shot": True, "shot_type": "intelligence"}
    assert check("text2video", body | {"prompt": "a story"}).shots == ()
    assert str(refused(**body, prompt="")) == "prompt cannot be empty"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (shots(shot(1)) | {"model_name": V26, "duration": "5"}, "multi_shot is not supported"),
        (shots(shot(1), shot(2), shot_type=None), "shot_type value 'None' is invalid"),
        (shots(shot(1), shot(2), shot_type="auto"), "shot_type value 'auto' is invalid"),
        (shots(shot(1), shot(2), multi_shot="true"), "multi_shot value 'true' is invalid"),
        (shots(duration="5"), "1 to 6 shots"),
        (shots(*(shot(n) for n in range(1, 8))), "1 to 6 shots"),
        (shots(shot(1), shot(3)), "multi_prompt[1].index value '3' is invalid"),
        (shots(shot(1), shot(2, "")), "multi_prompt[1].prompt cannot be empty"),
        (shots(shot(1), shot(2, "x" * 513)), "prompt length cannot exceed 512"),
        (shots(shot(1), shot(2, duration=2)), "multi_prompt[1].duration value '2' is invalid"),
        (shots(shot(1), shot(2, duration="0")), "multi_prompt[1].duration value '0' is invalid"),
        (shots(shot(1), shot(2), duration="5"), "must equal duration"),
    ],
)
def test_shots_that_break_a_rule_are_refused(body, words):
    assert words in str(refused(**body))


def image(picture, **fields):
    return {"model_name": V26, "prompt": "a fox", "image": picture()} | fields


def test_an_image_video_has_no_aspect_ratio_of_its_own(picture):
    order = check("image2video", image(picture, aspect_ratio="9:16"))
    assert order.ignored == ("aspect_ratio",)
    assert order.aspect_ratio == ""
    assert order.start is not None
    assert order.end is None


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"model_name": V25, "mode": "std"}, False),
        ({"model_name": V25, "mode": "pro"}, True),
        ({"model_name": V26, "mode": "std"}, False),
        ({"model_name": V26, "mode": "pro"}, True),
        ({"model_name": V26, "mode": "pro", "sound": "on"}, False),
        ({"model_name": V3, "mode": "std"}, True),
        ({"model_name": V3, "mode": "4k", "sound": "on"}, True),
        ({"model_name": V3, "mode": "pro", "camera_control": {"type": "down_back"}}, False),
    ],
)
def test_an_end_picture_goes_with_these(picture, fields, passes):
    body = image(picture, image_tail=picture(colour="orange"), **fields)
    if passes:
        assert check("image2video", body).end is not None
    else:
        assert "image_tail" in str(refused("image2video", **body))


def test_an_end_picture_alone_is_refused_by_every_living_model(picture):
    for model in (V25, V26, V3):
        refusal = refused("image2video", model_name=model, mode="pro", image_tail=picture())
        assert str(refusal) == "image cannot be empty"


def test_end_picture_and_shots_go_together_on_v3(picture):
    body = shots(shot(1), shot(2)) | {"image": picture(), "image_tail": picture()}
    assert len(check("image2video", body).shots) == 2


def test_an_image_video_needs_words_too(picture):
    assert str(refused("image2video", image=picture(), prompt="")) == "prompt cannot be empty"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"voice_list": [{"voice_id": "1"}]}, "voice_list is not supported"),
        ({"voice_list": [{"voice_id": "1"}], "mode": "pro"}, "needs sound"),
        ({"voice_list": [{"voice_id": "1"}] * 3, "mode": "pro", "sound": "on"}, "at most 2"),
        ({"element_list": [{"element_id": 315187972322559}]}, "element_list is not supported"),
        (
            {"model_name": V3, "element_list": [{"element_id": 315187972322559}]},
            "Element id not found: 315187972322559",
        ),
        ({"dynamic_masks": [{"mask": "x"}]}, "dynamic_masks/static_mask is not supported"),
        ({"static_mask": "x", "image_tail": "x"}, "exclude each other"),
    ],
)
def test_what_goes_with_an_image_is_checked(picture, fields, words):
    assert words in str(refused("image2video", **image(picture, **fields)))


def test_voices_are_for_v2_6_pro_with_sound(picture):
    order = check(
        "image2video",
        image(picture, mode="pro", sound="on", voice_list=[{"voice_id": "1"}], prompt="<<<voice_1>>> hello"),
    )
    assert order.voices


def old(product="text2video", model="kling-v1", **fields):
    body = {"model_name": model, "prompt": "a fox"} | fields
    return check(product, body, Offer(retired_models=True))


def test_the_retired_models_work_when_they_are_switched_on():
    assert old().model == "kling-v1"
    assert old(model="kling-v2-master", mode="pro", duration="10").ignored == ("mode",)
    assert str(refused(model_name="kling-v1-5", retired=True)) == "model is not supported"


@pytest.mark.parametrize("axis", rules.AXES)
@pytest.mark.parametrize("amount", [-10, 0.5, 10])
def test_kling_v1_takes_one_axis_of_the_camera(axis, amount):
    camera = old(camera_control={"type": "simple", "config": {axis: amount}}).camera
    assert camera == Camera("simple", **{axis: amount})


@pytest.mark.parametrize("kind", rules.CAMERA_TYPES[1:])
def test_kling_v1_takes_every_preset_without_a_config(kind):
    assert old(camera_control={"type": kind}).camera == Camera(kind)
    with pytest.raises(Refusal, match="must be empty"):
        old(camera_control={"type": kind, "config": {"pan": 1}})


@pytest.mark.parametrize(
    "control",
    [
        {"type": "simple"},
        {"type": "simple", "config": {}},
        {"type": "simple", "config": {"pan": 1, "tilt": 1}},
        {"type": "simple", "config": {"pan": 10.1}},
        {"type": "simple", "config": {"pan": "5"}},
        {"type": "simple", "config": {"dolly": 5}},
        {"config": {"pan": 5}},
        "simple",
    ],
)
def test_a_malformed_camera_is_refused(control):
    assert refused(camera_control=control, model_name="kling-v1", retired=True).code == 1201


@pytest.mark.parametrize("fields", [{"mode": "pro"}, {"duration": "10"}])
def test_the_camera_of_kling_v1_works_in_std_for_5_seconds_only(fields):
    refusal = refused(camera_control={"type": "down_back"}, model_name="kling-v1", retired=True, **fields)
    assert "camera_control is not supported" in str(refusal)


def test_an_image_video_takes_the_simple_camera_of_v1_5(picture):
    fields = {"model": "kling-v1-5", "mode": "pro", "image": picture()}
    assert old("image2video", camera_control={"type": "simple", "config": {"zoom": 3}}, **fields).camera
    with pytest.raises(Refusal, match=r"camera_control\.type"):
        old("image2video", camera_control={"type": "down_back"}, **fields)


def test_an_end_picture_alone_was_possible_once(picture):
    order = old("image2video", model="kling-v1-6", mode="pro", image_tail=picture())
    assert order.start is None
    assert order.end is not None
