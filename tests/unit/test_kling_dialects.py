"""The two dialects: what leaves, where it goes, and what must never leave."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from kling_takes.apis.kling import costs, dialects, shots
from kling_takes.apis.kling.camera import KlingCameraConfig, KlingCameraControl
from kling_takes.apis.kling.legacy import LEGACY, LegacyImage2VideoBody, LegacyText2VideoBody
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.pictures import KlingImage
from kling_takes.apis.kling.products.image_to_video import KlingImage2VideoRequest
from kling_takes.apis.kling.products.text_to_video import KlingText2VideoRequest
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.apis.kling.standard import (
    STANDARD,
    StandardImageBody,
    StandardSettings,
    StandardTextBody,
)

TABLE = load_table()
TURBO = TABLE.specs["kling-3.0-turbo"]
V25 = TABLE.specs["kling-v2-5-turbo"]
V3 = TABLE.specs["kling-v3"]
START = KlingImage(pixels_sha256="a" * 64, width=640, height=480, data=b"START", mime="image/png")


def body(call: Any) -> dict[str, Any]:
    assert call.method == "POST"
    found: dict[str, Any] = call.body.model_dump(exclude_none=True, mode="json")
    return found


@pytest.mark.parametrize(
    ("name", "credential", "dialect"),
    [
        ("kling-v2-5-turbo", "api_key", "legacy"),
        ("kling-v2-5-turbo", "key_pair", "legacy"),
        ("kling-v2-5-turbo", "comfy_org", "legacy"),
        ("kling-3.0-turbo", "api_key", "standard"),
        ("kling-3.0-turbo", "comfy_org", "standard"),
    ],
)
def test_a_model_is_reached_in_the_dialect_it_has(name: str, credential: Any, dialect: str) -> None:
    assert dialects.name_for(TABLE.specs[name], credential) == dialect
    assert dialects.choose(TABLE.specs[name], credential).name == dialect
    assert dialects.by_name(dialect).name == dialect


def test_a_key_pair_is_told_that_it_cannot_reach_the_new_standard() -> None:
    with pytest.raises(ValueError, match="takes an API key only") as caught:
        dialects.choose(TURBO, "key_pair")
    assert "KLING_API_KEY" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


def test_a_key_pair_falls_back_to_v1_where_the_model_is_there_too() -> None:
    preferring = V25.model_copy(update={"preferred": "standard"})
    assert dialects.name_for(preferring, "api_key") == "standard"
    assert dialects.name_for(preferring, "key_pair") == "legacy"


def test_a_task_is_asked_for_by_either_id() -> None:
    query = LEGACY.query("image2video", "123")
    assert (query.method, query.path, query.query, query.body) == (
        "GET",
        "/v1/videos/image2video/123",
        {},
        None,
    )
    assert LEGACY.lookup("text2video", "kt-1").path == "/v1/videos/text2video/kt-1"
    query = STANDARD.query("image2video", "123")
    assert (query.method, query.path, query.query, query.body) == ("GET", "/tasks", {"task_ids": "123"}, None)
    assert STANDARD.lookup("text2video", "kt-1").query == {"external_task_ids": "kt-1"}


def test_an_id_cannot_lead_to_another_address() -> None:
    assert LEGACY.query("text2video", "../x?y#z").path == "/v1/videos/text2video/..%2Fx%3Fy%23z"


def test_every_product_that_gives_a_video_can_be_asked_for_the_likeliest_first() -> None:
    assert dialects.QUERY_PRODUCTS[:2] == ("text2video", "image2video")
    paths = {LEGACY.query(product, "1").path for product in dialects.QUERY_PRODUCTS}
    assert len(paths) == len(dialects.QUERY_PRODUCTS) == 11
    assert "/v1/videos/avatar/image2video/1" in paths
    with pytest.raises(ValueError, match="no product of Kling's"):
        LEGACY.query("soup", "1")


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (LegacyText2VideoBody, {"model_name": "m", "mode": "std", "duration": "5", "aspect_ratio": "16:9"}),
        (LegacyImage2VideoBody, {"model_name": "m", "mode": "std", "duration": "5"}),
        (StandardTextBody, {"prompt": "x", "settings": {"resolution": "720p", "duration": 5}}),
        (
            StandardImageBody,
            {
                "contents": [{"type": "prompt", "text": "x"}],
                "settings": {"resolution": "720p", "duration": 5},
            },
        ),
        (StandardSettings, {"resolution": "720p", "duration": 5}),
    ],
)
@pytest.mark.parametrize("field", ["seed", "callback_url", "n", "durations", "top_level"])
def test_a_field_kling_does_not_document_cannot_leave(kind: type[BaseModel], least: Any, field: str) -> None:
    kind.model_validate(least)
    with pytest.raises(ValidationError):
        kind.model_validate({**least, field: 1})


@pytest.mark.parametrize("field", ["duration", "mode", "sound", "negative_prompt", "model_name"])
def test_fields_of_the_old_form_cannot_stand_at_the_top_of_the_new(field: str) -> None:
    # Seen live: they "parse fine and do nothing", and the video of the wrong length is billed.
    least = {"prompt": "x", "settings": {"resolution": "720p", "duration": 5}}
    with pytest.raises(ValidationError):
        StandardTextBody.model_validate({**least, field: "5"})


@pytest.mark.parametrize(
    "settings",
    [
        {"resolution": "720P", "duration": 5},
        {"resolution": "480p", "duration": 5},
        {"resolution": "720p", "duration": 0},
        {"resolution": "720p", "duration": 5.5},
        {"resolution": "720p"},
        {"resolution": "720p", "duration": 5, "audio": "on"},
    ],
)
def test_a_setting_kling_would_take_wrongly_cannot_leave(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StandardSettings.model_validate(settings)


@pytest.mark.parametrize("name", [name for name, spec in TABLE.specs.items() if "standard" in spec.dialects])
def test_only_the_settings_that_a_model_documents_are_sent(name: str) -> None:
    spec = TABLE.specs[name]
    sound = "on" if spec.sound_always else None
    text = KlingText2VideoRequest(prompt="x", model_name=name, sound=sound)
    image = KlingImage2VideoRequest(prompt="x", image=START, model_name=name, sound=sound)
    assert set(body(STANDARD.create(text, spec, "kt-1"))["settings"]) == set(spec.standard_settings)
    assert set(body(STANDARD.create(image, spec, "kt-1"))["settings"]) == set(spec.standard_settings) - {
        "aspect_ratio"
    }


def test_one_shot_is_said_where_kling_would_cut_several_by_itself() -> None:
    request = KlingText2VideoRequest(prompt="x", model_name="kling-v3")
    assert body(STANDARD.create(request, V3, "kt-1"))["settings"]["multi_shot"] is False


def test_no_id_of_ours_means_no_field_for_it() -> None:
    request = KlingText2VideoRequest(prompt="x", model_name="kling-v3")
    assert "external_task_id" not in body(LEGACY.create(request, V3, None))
    assert "options" not in body(STANDARD.create(request, V3, None))


def test_sound_is_mentioned_only_to_models_that_know_it() -> None:
    quiet = KlingText2VideoRequest(prompt="x", sound="off")
    assert "sound" not in body(LEGACY.create(quiet, V25, None))
    assert body(LEGACY.create(quiet, V3, None))["sound"] == "off"
    assert "audio" not in body(STANDARD.create(quiet, V25, None))["settings"]
    assert body(STANDARD.create(quiet, V3, None))["settings"]["audio"] == "off"


MOVE = KlingCameraControl(config=KlingCameraConfig(zoom=1))
SHOTS = (KlingShot(prompt="x", duration=5),)


@pytest.mark.parametrize(
    ("dialect", "name", "fields"),
    [
        ("legacy", "kling-3.0-turbo", {}),
        ("legacy", "kling-v2-5-turbo", {"sound": "on"}),
        ("legacy", "kling-v2-5-turbo", {"camera_control": MOVE}),
        ("legacy", "kling-v2-5-turbo", {"shots": SHOTS}),
        ("standard", "kling-v1", {}),
        ("standard", "kling-v3", {"negative_prompt": "x"}),
        ("standard", "kling-v3", {"camera_control": MOVE}),
        ("standard", "kling-v2-5-turbo", {"sound": "on"}),
        ("standard", "kling-v2-5-turbo", {"shots": SHOTS}),
        ("standard", "kling-3.0-turbo", {"sound": "off"}),
    ],
)
def test_what_has_no_field_is_never_dropped_in_silence(
    dialect: str, name: str, fields: dict[str, Any]
) -> None:
    request = KlingText2VideoRequest(**{"prompt": "x", "model_name": name, **fields})
    with pytest.raises(ValueError, match=r"(has no|makes|always) .*\.$"):
        dialects.by_name(dialect).create(request, TABLE.specs[name], "kt-1")


def test_shots_are_numbered_and_closed_in_a_prompt() -> None:
    two = (KlingShot(prompt=" a fox, red ", duration=2), KlingShot(prompt="it runs", duration=3))
    assert shots.as_prompt(two) == "shot 1, 2, a fox, red; shot 2, 3, it runs;"


def test_the_shots_decide_the_length_that_is_bought() -> None:
    two = (KlingShot(prompt="a", duration=4), KlingShot(prompt="b", duration=5))
    request = KlingText2VideoRequest(model_name="kling-v3", duration="5", shots=two)
    assert body(LEGACY.create(request, V3, None))["duration"] == "9"
    assert body(STANDARD.create(request, V3, None))["settings"]["duration"] == 9


PACKS = {
    "code": 0,
    "data": {
        "code": 0,
        "msg": "success",
        "resource_pack_subscribe_infos": [
            {
                "resource_pack_name": "Old pack",
                "total_quantity": 100,
                "remaining_quantity": 0,
                "invalid_time": 1700000000000,
                "status": "expired",
            },
            {
                "resource_pack_name": "Video-5000Units-20Con-6Months",
                "total_quantity": 5000.0,
                "remaining_quantity": 118.3,
                "effective_time": 1726124664368,
                "invalid_time": 1727366400000,
                "status": "online",
            },
            {
                "resource_pack_name": "Trial-Video-100Units-5Con-1Months",
                "total_quantity": 100,
                "remaining_quantity": 3,
                "invalid_time": 1726366400000,
                "status": "online",
            },
            {"resource_pack_name": "Trial-Image-1000Units-99Con-1Months", "status": "online"},
            {"resource_pack_name": None, "status": None, "a_new_field": 1},
        ],
    },
}


def test_the_packs_of_an_account_are_told_usable_ones_first() -> None:
    found = costs.packs(costs.CostsReply.model_validate(PACKS))
    assert [pack.online for pack in found] == [True, True, True, False, False]
    trial, video = found[:2]
    assert (trial.name, trial.concurrency) == ("Trial-Video-100Units-5Con-1Months", 5)
    assert (video.remaining, video.total, video.expires_at) == (118.3, 5000.0, 1727366400.0)
    assert costs.concurrency(found) == 20
    assert found[-1].name == "unnamed pack"


def test_an_account_without_packs_tells_no_concurrency() -> None:
    assert costs.concurrency(()) is None


@pytest.mark.parametrize("data", [None, {"code": 1, "msg": "no access"}])
def test_an_account_that_is_not_told_is_an_error(data: Any) -> None:
    with pytest.raises(ValueError, match=r"account|no access"):
        costs.packs(costs.CostsReply.model_validate({"code": 0, "data": data}))


def test_the_packs_are_asked_for_between_two_times_in_milliseconds() -> None:
    call = costs.call(1700000000.0, 1700000001.5)
    assert (call.method, call.path) == ("GET", "/account/costs")
    assert call.query == {"start_time": "1700000000000", "end_time": "1700000001500"}
