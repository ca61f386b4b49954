"""The legacy dialect over HTTP: create, query by either id, list, and what the answers look like."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kling_takes.simulator.request_handler import LARGE

T2V = "/v1/videos/text2video"
I2V = "/v1/videos/image2video"


async def test_a_create_answers_like_the_documents(bench):
    status, answer = await bench.create(external_task_id="kt-1")
    assert status == 200
    assert answer["code"] == 0
    assert answer["message"] == "SUCCEED"
    assert len(answer["request_id"]) == 36
    data = answer["data"]
    assert data.pop("task_id").isdigit()
    assert data == {
        "task_status": "submitted",
        "task_info": {"external_task_id": "kt-1"},
        "created_at": 1_790_000_000_000,
        "updated_at": 1_790_000_000_000,
    }


async def test_task_ids_are_decimal_strings_of_18_digits_and_differ(bench):
    ids = [await bench.made() for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(len(identifier) == 18 and identifier.isdigit() for identifier in ids)


async def test_two_simulators_do_not_give_the_same_ids():
    from kling_takes.simulator.state import State

    assert State().seed_task("text2video").id != State().seed_task("text2video").id


async def test_a_task_goes_through_its_states_by_the_clock_alone(bench):
    identifier = await bench.made(duration="5")
    state = bench.state
    seen = []
    for step in (0.0, 0.99, 0.02, 5.9, 0.1):
        bench.now += step
        seen.append((await bench.task(identifier))["task_status"])
    assert seen == ["submitted", "submitted", "processing", "processing", "succeed"]
    assert state.tasks[identifier].due_at == pytest.approx(1_790_000_000 + 1.0 + 3.0 + 0.6 * 5)


async def test_a_finished_task_shows_its_video_and_its_price(bench):
    data = await bench.finished(duration="10", mode="pro", sound="on")
    (video,) = data["task_result"]["videos"]
    assert video["duration"] == "10.000"
    assert "watermark_url" not in video
    assert data["final_unit_deduction"] == "10"
    assert data["updated_at"] > data["created_at"]


async def test_an_unfinished_task_shows_neither_result_nor_price(bench):
    data = await bench.task(await bench.made())
    assert "task_result" not in data
    assert "final_unit_deduction" not in data


async def test_a_watermark_has_an_address_of_its_own_when_asked_for(bench):
    data = await bench.finished(watermark_info={"enabled": True})
    (video,) = data["task_result"]["videos"]
    async with bench.session.get(video["watermark_url"]) as reply:
        assert reply.status == 200


async def test_a_task_is_found_by_both_ids(bench):
    identifier = await bench.made(external_task_id="kt-x")
    assert (await bench.task("kt-x"))["task_id"] == identifier
    assert bench.state.lookups == 1
    assert (await bench.task(identifier))["task_info"] == {"external_task_id": "kt-x"}
    assert bench.state.polls == 1


async def test_an_unknown_id_is_refused_in_the_recorded_words(bench):
    status, answer = await bench.ask("GET", f"{T2V}/mf-auth-probe-nonexistent")
    request_id = answer.pop("request_id")
    assert (status, answer) == (
        400,
        {"code": 1201, "message": "Task not found by id/external id: mf-auth-probe-nonexistent"},
    )
    assert len(request_id) == 36


async def test_a_task_is_not_found_at_another_product_nor_by_another_account(bench):
    identifier = await bench.made(external_task_id="kt-1")
    bench.state.api_keys["api-key-kling-other"] = "other"
    for path, key in ((I2V, "api-key-kling-simulator"), (T2V, "api-key-kling-other")):
        for wanted in (identifier, "kt-1"):
            assert (await bench.ask("GET", f"{path}/{wanted}", key=key))[0] == 400


async def test_the_list_of_an_empty_account_is_the_recorded_answer(bench):
    status, answer = await bench.ask("GET", f"{I2V}?pageNum=1&pageSize=5")
    answer.pop("request_id")
    assert (status, answer) == (200, {"code": 0, "message": "SUCCEED", "data": []})


async def test_the_list_is_paged_and_newest_first(bench):
    ids = []
    for _ in range(7):
        ids.append(await bench.made())
        bench.now += 60
    _, answer = await bench.ask("GET", f"{T2V}?pageNum=2&pageSize=3")
    assert [task["task_id"] for task in answer["data"]] == [ids[3], ids[2], ids[1]]
    _, answer = await bench.ask("GET", T2V)
    assert [task["task_id"] for task in answer["data"]] == ids[::-1]


@pytest.mark.parametrize("query", ["pageNum=0", "pageNum=1001", "pageSize=501", "pageSize=x", "pageNum=-1"])
async def test_a_page_outside_kling_s_limits_is_refused(bench, query):
    status, answer = await bench.ask("GET", f"{T2V}?{query}")
    assert (status, answer["code"]) == (400, 1201)


@pytest.mark.parametrize(
    "product", ["omni-video", "motion-control", "avatar/image2video", "lip-sync", "effects"]
)
async def test_a_video_of_any_product_can_be_asked_for(bench, product):
    task = bench.state.seed_task(product, external_task_id="made-elsewhere")
    for identifier in (task.id, "made-elsewhere"):
        data = await bench.task(identifier, f"/v1/videos/{product}")
        async with bench.session.get(data["task_result"]["videos"][0]["url"]) as reply:
            assert reply.status == 200


async def test_an_advanced_lip_sync_is_found_by_task_id_only(bench):
    task = bench.state.seed_task("advanced-lip-sync", external_task_id="ext")
    assert (await bench.task(task.id, "/v1/videos/advanced-lip-sync"))["task_status"] == "succeed"
    assert (await bench.ask("GET", "/v1/videos/advanced-lip-sync/ext"))[0] == 400


async def test_multi_image2video_says_that_it_is_gone(bench):
    status, answer = await bench.create("/v1/videos/multi-image2video")
    assert status == 404
    assert answer["message"] == "This API is no longer available"
    assert bench.state.creates_accepted == 0


async def test_a_product_that_is_only_found_here_refuses_a_create(bench):
    status, answer = await bench.create("/v1/videos/omni-video")
    assert status == 404
    assert "only finds" in answer["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", T2V, 1202),
        ("POST", f"{T2V}/123", 1202),
        ("GET", "/v1/videos/unheard-of", 1203),
        ("GET", "/", 1203),
        ("GET", "/text-to-video/kling-3.0", 1202),
    ],
)
async def test_a_path_or_method_that_kling_does_not_have_is_a_404(bench, method, path, code):
    status, answer = await bench.ask(method, path)
    assert (status, answer["code"]) == (404, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
async def test_a_body_that_is_no_json_object_is_refused(bench, body):
    status, answer = await bench.ask("POST", T2V, data=body)
    assert (status, answer["code"]) == (400, 1200)


async def test_a_failed_task_answers_200_and_says_why(bench):
    data = await bench.finished(prompt="a fox [fail]")
    assert data["task_status"] == "failed"
    assert data["task_status_msg"] == "Failure to pass the risk control system"
    assert data["final_unit_deduction"] == "0"
    assert "task_result" not in data


async def test_a_picture_by_address_fails_like_one_that_kling_cannot_fetch(bench):
    data = await bench.finished(I2V, image="https://example.invalid/a.png")
    assert data["task_status"] == "failed"
    assert data["task_status_msg"].startswith("Something went wrong when we tried to get the contents")


async def test_ignored_fields_are_counted(bench):
    await bench.made(cfg_scale=0.7, seed=3, camera_control={"type": "down_back"})
    assert bench.state.ignored_fields == {"cfg_scale": 1, "seed": 1, "camera_control": 1}


async def test_a_large_picture_is_taken_too(bench):
    rng = np.random.default_rng(1)
    target = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (400, 400, 3), np.uint8)).save(target, "PNG")
    image = base64.b64encode(target.getvalue()).decode()
    assert len(image) > LARGE
    assert await bench.made(I2V, image=image)
    assert (await bench.create(I2V, image=image, prompt=""))[0] == 400


async def test_requests_are_recorded_without_key_and_media(bench, picture):
    image = picture(1200, 1000, kind="JPEG")
    await bench.create(I2V, image=image, external_task_id="kt-9")
    (record,) = bench.state.requests
    assert (record.method, record.path) == ("POST", I2V)
    assert "Authorization" in record.headers
    assert "simulator" not in repr(record)
    assert record.body_json_without_media["image"] == f"<{len(image)} characters>"
    assert record.body_json_without_media["external_task_id"] == "kt-9"
