"""The two dialects: what leaves, where it goes, and what must never leave."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from kling_takes.apis.kling import products
from kling_takes.apis.kling import shots as many_shots
from kling_takes.apis.kling.bodies import stamped_legacy, stamped_standard
from kling_takes.apis.kling.dialects import DIALECTS, choose
from kling_takes.apis.kling.dialects.legacy import LEGACY
from kling_takes.apis.kling.dialects.standard import STANDARD
from kling_takes.apis.kling.products import PRODUCTS, TEXT_TO_VIDEO, legacy_paths
from kling_takes.apis.kling.products.image_to_video import LegacyImage2VideoBody, StandardImageBody
from kling_takes.apis.kling.products.text_to_video import LegacyText2VideoBody, StandardTextBody
from kling_takes.apis.kling.products.video_bodies import StandardSettings
from kling_takes.apis.kling.shots import KlingShot
from kling_takes.tests.builders import (
    TABLE,
    body_of,
    create,
    image_request,
    shots,
    simple,
    text_request,
)

TURBO = TABLE.specs["kling-3.0-turbo"]
V25 = TABLE.specs["kling-v2-5-turbo"]
V3 = TABLE.specs["kling-v3"]


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
    assert choose(TEXT_TO_VIDEO, TABLE.specs[name], credential).name == dialect
    assert DIALECTS[dialect].name == dialect
    assert DIALECTS[dialect].takes(credential)


def test_a_key_pair_is_told_that_it_cannot_reach_the_new_standard() -> None:
    with pytest.raises(ValueError, match="takes an API key only") as caught:
        choose(TEXT_TO_VIDEO, TURBO, "key_pair")
    assert "KLING_API_KEY" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


def test_a_key_pair_falls_back_to_v1_where_the_model_is_there_too() -> None:
    preferring = V25.model_copy(update={"preferred": "standard"})
    assert choose(TEXT_TO_VIDEO, preferring, "api_key").name == "standard"
    assert choose(TEXT_TO_VIDEO, preferring, "key_pair").name == "legacy"


def test_a_task_is_asked_for_by_either_id() -> None:
    query = LEGACY.query("image2video", "123")
    assert (query.method, query.path, query.query, query.request_model) == (
        "GET",
        "/v1/videos/image2video/123",
        {},
        None,
    )
    assert LEGACY.lookup("text2video", "kt-1").path == "/v1/videos/text2video/kt-1"
    query = STANDARD.query("image2video", "123")
    assert (query.method, query.path, query.query, query.request_model) == (
        "GET",
        "/tasks",
        {"task_ids": "123"},
        None,
    )
    assert STANDARD.lookup("text2video", "kt-1").query == {"external_task_ids": "kt-1"}


def test_an_id_cannot_lead_to_another_address() -> None:
    assert LEGACY.query("text2video", "../x?y#z").path == "/v1/videos/text2video/..%2Fx%3Fy%23z"


def test_every_product_that_gives_a_video_can_be_asked_for_the_likeliest_first() -> None:
    assert list(legacy_paths())[:2] == ["text2video", "image2video"]
    paths = {LEGACY.query(product, "1").path for product in legacy_paths()}
    assert len(paths) == len(legacy_paths()) == 11
    assert "/v1/videos/avatar/image2video/1" in paths
    with pytest.raises(ValueError, match="not a product of Kling's"):
        LEGACY.query("soup", "1")


def test_a_product_that_is_bought_under_v1_is_not_among_those_that_are_only_found() -> None:
    bought = {name for name, product in PRODUCTS.items() if "legacy" in product.paths}
    assert not bought & products._FOUND_ONLY.keys()


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
    text = body_of(text_request(model_name=name, sound=sound), spec, "standard")
    image = body_of(image_request(model_name=name, sound=sound), spec, "standard")
    assert set(text["settings"]) == set(spec.standard_settings)
    assert set(image["settings"]) == set(spec.standard_settings) - {"aspect_ratio"}


def test_one_shot_is_said_where_kling_would_cut_several_by_itself() -> None:
    request = text_request(model_name="kling-v3")
    assert body_of(request, V3, "standard")["settings"]["multi_shot"] is False


def test_our_id_stands_where_each_dialect_looks_for_it() -> None:
    request = text_request(model_name="kling-v3")
    assert body_of(request, V3, "legacy", "kt-1")["external_task_id"] == "kt-1"
    assert body_of(request, V3, "standard", "kt-1")["options"] == {"external_task_id": "kt-1"}


def test_no_id_of_ours_means_no_field_for_it() -> None:
    request = text_request(model_name="kling-v3")
    assert "external_task_id" not in body_of(request, V3, "legacy", None)
    assert "options" not in body_of(request, V3, "standard", None)


def test_a_body_without_a_place_for_our_id_is_a_programming_error() -> None:
    nowhere = StandardSettings(resolution="720p", duration=5)
    for stamped in (stamped_legacy, stamped_standard):
        with pytest.raises(TypeError, match="a take is not unique"):
            stamped(nowhere, "kt-1")


def test_sound_is_mentioned_only_to_models_that_know_it() -> None:
    quiet = text_request(sound="off")
    assert "sound" not in body_of(quiet, V25, "legacy")
    assert body_of(quiet, V3, "legacy")["sound"] == "off"
    assert "audio" not in body_of(quiet, V25, "standard")["settings"]
    assert body_of(quiet, V3, "standard")["settings"]["audio"] == "off"


@pytest.mark.parametrize(
    ("dialect", "name", "fields"),
    [
        ("legacy", "kling-3.0-turbo", {}),
        ("legacy", "kling-v2-5-turbo", {"sound": "on"}),
        ("legacy", "kling-v2-5-turbo", {"camera_control": simple(zoom=1)}),
        ("legacy", "kling-v2-5-turbo", {"shots": shots(5)}),
        ("standard", "kling-v1", {}),
        ("standard", "kling-v3", {"negative_prompt": "x"}),
        ("standard", "kling-v3", {"camera_control": simple(zoom=1)}),
        ("standard", "kling-v2-5-turbo", {"sound": "on"}),
        ("standard", "kling-v2-5-turbo", {"shots": shots(5)}),
        ("standard", "kling-3.0-turbo", {"sound": "off"}),
    ],
)
@pytest.mark.parametrize("make", [text_request, image_request])
def test_what_has_no_field_is_never_dropped_in_silence(
    make: Any, dialect: str, name: str, fields: dict[str, Any]
) -> None:
    request = make(model_name=name, **fields)
    with pytest.raises(ValueError, match=r"(has no|makes|always) .*\.$"):
        DIALECTS[dialect].body(PRODUCTS[request.product], request, TABLE.specs[name])


def test_shots_are_numbered_and_closed_in_a_prompt() -> None:
    two = (KlingShot(prompt=" a fox, red ", duration=2), KlingShot(prompt="it runs", duration=3))
    assert many_shots.as_prompt(two) == "shot 1, 2, a fox, red; shot 2, 3, it runs;"


def test_the_shots_decide_the_length_that_is_bought() -> None:
    request = text_request(prompt="", model_name="kling-v3", duration="5", shots=shots(4, 5))
    assert body_of(request, V3, "legacy")["duration"] == "9"
    assert body_of(request, V3, "standard")["settings"]["duration"] == 9


@pytest.mark.parametrize(
    ("make", "dialect", "path"),
    [
        (text_request, "legacy", "/v1/videos/text2video"),
        (image_request, "legacy", "/v1/videos/image2video"),
        (text_request, "standard", "/text-to-video/kling-3.0"),
        (image_request, "standard", "/image-to-video/kling-3.0"),
    ],
)
def test_a_create_goes_to_the_address_of_its_product(make: Any, dialect: str, path: str) -> None:
    endpoint, body = create(make(model_name="kling-v3"), V3, dialect)
    assert (endpoint.method, endpoint.path, endpoint.query) == ("POST", path, {})
    assert endpoint.request_model is type(body)
