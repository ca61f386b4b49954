"""Comfy.org's own errors, and its tokens that live for minutes and are renewed."""

from __future__ import annotations

import base64
import json

import pytest

from kling_takes.simulator.faults import Fault
from kling_takes.simulator.partner import partner_token

T2V = "/proxy/kling/v1/videos/text2video"
RENEW = "/auth/partner-node/renew"


def signed_in(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def create(bench, token: str):
    body = {"model_name": "kling-v2-6", "prompt": "a fox"}
    return await bench.ask("POST", T2V, key=None, headers=signed_in(token), json=body)


async def renew(bench, token: str):
    return await bench.ask("POST", RENEW, key=None, headers=signed_in(token))


async def test_a_token_opens_the_proxy_until_its_time_is_over(bench):
    token = partner_token(bench.state)
    assert claims(token)["aud"] == "comfy-partner-node"
    assert (await create(bench, token))[0] == 200
    bench.now += bench.state.partner_token_seconds
    assert (await create(bench, token))[0] == 401


async def test_a_renewal_gives_another_token_of_the_same_session(bench):
    token = partner_token(bench.state)
    bench.now += 800
    status, answer = await renew(bench, token)
    fresh = answer["token"]
    assert status == 200
    assert claims(fresh)["sid"] == claims(token)["sid"]
    assert fresh != token
    bench.now += 200
    assert [(await create(bench, text))[0] for text in (token, fresh)] == [401, 200]
    assert bench.state.partner_renewals == {claims(token)["sid"]: 1}


async def test_a_token_that_has_ended_or_is_unknown_is_not_renewed(bench):
    ended = partner_token(bench.state)
    bench.now += 1000
    closed = partner_token(bench.state)
    del bench.state.partner_sessions[claims(closed)["sid"]]
    forged = partner_token(bench.state)[:-4] + "AAAA"
    for token in (ended, closed, forged, "practice-comfy-token", ""):
        assert (await renew(bench, token))[0] == 401
    assert not bench.state.partner_renewals


async def test_a_renewal_can_break_like_any_other_request(bench):
    bench.state.faults.append(Fault("renew", "error_500_before"))
    token = partner_token(bench.state)
    assert [(await renew(bench, token))[0] for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("status", [401, 402, 403, 409, 429])
async def test_comfy_org_refuses_in_a_form_of_its_own(bench, status):
    bench.state.faults.append(Fault("create", "proxy_refused", status=status, retry_after="3"))
    found, answer = await create(bench, "practice-comfy-token")
    assert found == status
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type"}
    assert bench.state.creates_accepted == 0
    assert (await create(bench, "practice-comfy-token"))[0] == 200


async def test_a_used_idempotency_key_and_a_blocked_account_are_both_409(bench):
    body = {"model_name": "kling-v2-6", "prompt": "a fox"}
    headers = {"X-API-KEY": "practice-comfy-key", "Idempotency-Key": "one"}
    for blocked, kind in (((), "idempotency_conflict"), (("practice-user",), "account_problem")):
        await bench.ask("POST", T2V, key=None, headers=headers, json=body)
        bench.state.comfy_blocked.update(blocked)
        status, answer = await bench.ask("POST", T2V, key=None, headers=headers, json=body)
        assert (status, answer["error"]["type"]) == (409, kind)
