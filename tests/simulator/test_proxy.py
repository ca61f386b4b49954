"""Comfy.org's proxy, and gateways: the same Kling behind another door."""

from __future__ import annotations

import pytest

T2V = "/proxy/kling/v1/videos/text2video"
TOKEN = {"Authorization": "Bearer practice-comfy-token"}
KEY = {"X-API-KEY": "practice-comfy-key"}


async def create(bench, headers, path: str = T2V, **body):
    body = {"model_name": "kling-v2-6", "prompt": "a fox"} | body
    return await bench.ask("POST", path, key=None, headers=headers, json=body)


@pytest.mark.parametrize("headers", [TOKEN, KEY])
async def test_a_comfy_user_makes_and_collects_a_video(bench, headers):
    status, answer = await create(bench, headers)
    assert status == 200
    bench.now += 1000
    path = f"{T2V}/{answer['data']['task_id']}"
    status, answer = await bench.ask("GET", path, key=None, headers=headers)
    assert answer["data"]["task_status"] == "succeed"
    assert [task.account for task in bench.state.billed()] == ["comfy.org"]


async def test_the_new_standard_works_through_the_proxy(bench):
    path = "/proxy/kling/text-to-video/kling-3.0-turbo"
    status, answer = await bench.ask("POST", path, key=None, headers=KEY, json={"prompt": "a fox"})
    assert status == 200
    path = f"/proxy/kling/tasks?task_ids={answer['data']['id']}"
    assert len((await bench.ask("GET", path, key=None, headers=KEY))[1]["data"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-KEY": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer wrong", "X-API-KEY": "practice-comfy-key"},
        {"Authorization": "Bearer api-key-kling-simulator"},
    ],
)
async def test_an_unknown_user_gets_the_proxy_s_own_401(bench, headers):
    status, answer = await create(bench, headers)
    assert (status, answer["error"]["type"]) == (401, "unauthorized")
    assert bench.state.creates_accepted == 0


async def test_a_comfy_key_opens_no_direct_door(bench):
    assert (await create(bench, TOKEN, "/v1/videos/text2video"))[0] == 401
    assert (await create(bench, KEY, "/v1/videos/text2video"))[1]["code"] == 1001


async def test_no_credits_and_a_blocked_account_stop_a_create_but_not_a_look(bench):
    _, answer = await create(bench, KEY)
    path = f"{T2V}/{answer['data']['task_id']}"
    for named, code in ((bench.state.comfy_without_credits, 402), (bench.state.comfy_blocked, 409)):
        named.add("practice-user")
        assert (await create(bench, KEY))[0] == code
        assert (await bench.ask("GET", path, key=None, headers=KEY))[0] == 200
        named.clear()


@pytest.mark.parametrize(
    ("behaviour", "status", "made"), [("conflict", 409, 1), ("replay", 200, 1), ("ignored", 200, 2)]
)
async def test_an_idempotency_key_that_was_used_gets_what_the_state_says(bench, behaviour, status, made):
    bench.state.proxy_idempotency = behaviour
    headers = KEY | {"Idempotency-Key": "one"}
    _, first = await create(bench, headers)
    again, second = await create(bench, headers)
    assert again == status
    assert bench.state.creates_accepted == made
    if behaviour == "replay":
        assert second["data"] == first["data"]


async def test_a_refused_create_does_not_use_up_its_key(bench):
    headers = KEY | {"Idempotency-Key": "one"}
    bench.state.concurrency_limit = 0
    assert (await create(bench, headers))[0] == 429
    bench.state.concurrency_limit = 1
    assert (await create(bench, headers))[0] == 200


async def test_an_idempotency_key_belongs_to_its_user_and_to_the_proxy(bench):
    bench.state.comfy_api_keys["other"] = "other-user"
    for headers in (KEY, {"X-API-KEY": "other"}):
        assert (await create(bench, headers | {"Idempotency-Key": "one"}))[0] == 200
    direct = {"Authorization": "Bearer api-key-kling-simulator", "Idempotency-Key": "one"}
    for _ in range(2):
        assert (await create(bench, direct, "/v1/videos/text2video"))[0] == 200


async def test_all_comfy_users_share_one_account_and_its_external_ids(bench):
    bench.state.comfy_api_keys["other"] = "other-user"
    assert (await create(bench, KEY, external_task_id="kt-1"))[0] == 200
    status, answer = await create(bench, {"X-API-KEY": "other"}, external_task_id="kt-1")
    assert (status, answer["message"]) == (400, "External_task_id kt-1 already exists")
    stranger = await bench.ask("GET", f"{T2V}/kt-1", key=None, headers={"X-API-KEY": "other"})
    assert stranger[0] == 200


async def test_a_gateway_serves_everything_under_its_prefix(bench):
    bench.state.path_prefix = "/gateway/kling"
    body = {"model_name": "kling-v2-6", "prompt": "a fox"}
    status, answer = await bench.ask("POST", "/gateway/kling/v1/videos/text2video", json=body)
    assert status == 200
    bench.now += 1000
    path = f"/gateway/kling/v1/videos/text2video/{answer['data']['task_id']}"
    _, answer = await bench.ask("GET", path)
    async with bench.session.get(answer["data"]["task_result"]["videos"][0]["url"]) as reply:
        assert reply.status == 200


async def test_without_the_prefix_a_gateway_answers_html(bench):
    bench.state.path_prefix = "/gateway/kling"
    async with bench.session.get(f"{bench.url}/v1/videos/text2video") as reply:
        assert (reply.status, reply.content_type) == (404, "text/html")
