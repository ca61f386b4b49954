"""A server that repeats the credential in everything it says."""

from __future__ import annotations

import json

import pytest

from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import SIMULATOR_KEY

T2V = "/v1/videos/text2video"
COSTS = "/account/costs?start_time=1789000000000&end_time=1790000000000"


async def said(bench, method: str, path: str, headers=None, **options) -> tuple[str, str]:
    """Return the head and the body of an answer as text."""
    headers = headers or {"Authorization": f"Bearer {SIMULATOR_KEY}"}
    async with bench.session.request(method, bench.url + path, headers=headers, **options) as reply:
        return f"{reply.reason} {dict(reply.headers)}", await reply.text()


@pytest.fixture
def loud(bench):
    """Let the simulator repeat the whole credential."""
    bench.state.echo = str
    return bench


async def test_every_answer_repeats_the_key_in_head_and_body(loud):
    identifier = await loud.made(prompt="[fail]")
    loud.now += 1000
    body = {"model_name": "kling-v2-6", "prompt": ""}
    bill = {"start_time": 1_780_000_000_000, "end_time": 1_800_000_000_000}
    for method, path, options in (
        ("POST", T2V, {"json": body}),
        ("GET", f"{T2V}/{identifier}", {}),
        ("GET", f"{T2V}/kt-none", {}),
        ("GET", T2V, {}),
        ("GET", COSTS, {}),
        ("POST", "/account/billing/package", {"json": bill}),
        ("GET", "/tasks?task_ids=1", {}),
        ("GET", "/nowhere", {}),
    ):
        head, text = await said(loud, method, path, **options)
        assert SIMULATOR_KEY in head, path
        assert SIMULATOR_KEY in json.loads(text)["message"], path
        assert SIMULATOR_KEY in json.loads(text)["request_id"], path
    assert SIMULATOR_KEY in (await said(loud, "GET", f"{T2V}/{identifier}"))[1].split("task_status_msg")[1]


@pytest.mark.parametrize("kind", ["html_403", "html_502_after_make", "error_500_before"])
async def test_broken_answers_repeat_it_too(loud, kind):
    loud.state.faults.append(Fault("query", kind))
    head, text = await said(loud, "GET", f"{T2V}/{'1' * 18}")
    assert SIMULATOR_KEY in head
    assert SIMULATOR_KEY in text


async def test_comfy_org_repeats_its_token_in_message_and_type(loud):
    headers = {"Authorization": "Bearer practice-comfy-token"}
    loud.state.comfy_blocked.add("practice-user")
    body = {"model_name": "kling-v2-6", "prompt": "a fox"}
    _, text = await said(loud, "POST", f"/proxy/kling{T2V}", headers, json=body)
    error = json.loads(text)["error"]
    assert "practice-comfy-token" in error["message"]
    assert "practice-comfy-token" in error["type"]
    _, text = await said(loud, "GET", f"/proxy/kling{T2V}", {"X-API-KEY": "wrong-comfy-key"})
    assert "wrong-comfy-key" in text


async def test_what_a_client_must_read_stays_as_it_is(loud):
    task = await loud.finished()
    assert task["task_id"].isdigit()
    assert task["task_status"] == "succeed"
    assert task["final_unit_deduction"] == "1.5"
    async with loud.session.get(task["task_result"]["videos"][0]["url"]) as reply:
        assert reply.status == 200


async def test_a_part_of_the_credential_is_repeated_where_asked(bench):
    bench.state.echo = lambda sent: sent[4:16]
    _, text = await said(bench, "GET", f"{T2V}/kt-none")
    assert SIMULATOR_KEY[4:16] in text
    assert SIMULATOR_KEY not in text
