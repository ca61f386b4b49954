"""Who may come in, and the recorded answers to those who may not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

T2V = "/v1/videos/text2video"
NO_TASK = f"{T2V}/none"
COSTS = "/account/costs?start_time=1789000000000&end_time=1790000000000"


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def jwt(
    payload: dict, secret: str = "practice-secret-key", header: dict | None = None, cut: int | None = None
) -> str:
    """Sign a token as Kling's documents say it, independently of the pack's own code."""
    head = json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode()
    signed = f"{_part(head)}.{_part(json.dumps(payload).encode())}"
    return f"{signed}.{_part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())[:cut]}"


def payload(now: float, **changes) -> dict:
    return {"iss": "practice-access-key", "exp": int(now) + 1800, "nbf": int(now) - 5} | changes


async def answer_to(bench, header: str | None, path: str = NO_TASK):
    headers = {"Authorization": header} if header is not None else {}
    status, answer = await bench.ask("GET", path, key=None, headers=headers)
    return status, answer["code"], answer["message"]


@pytest.mark.parametrize("path", [NO_TASK, "/tasks?task_ids=0", COSTS])
@pytest.mark.parametrize("header", [None, "", "  "])
async def test_no_credential_is_the_recorded_1001(bench, path, header):
    assert await answer_to(bench, header, path) == (401, 1001, "Authorization is empty")


@pytest.mark.parametrize("path", [NO_TASK, "/tasks?task_ids=0", COSTS])
async def test_an_unknown_key_is_the_recorded_1002(bench, path):
    assert await answer_to(bench, "Bearer api-key-kling-wrong", path) == (401, 1002, "api key not found")


@pytest.mark.parametrize("path", [NO_TASK, COSTS])
async def test_a_malformed_key_is_taken_for_a_jwt(bench, path):
    words = "The token was expected to have 3 parts, but got 0"
    assert await answer_to(bench, "Bearer nonsense", path) == (401, 1002, words)


@pytest.mark.parametrize("token", ["nonsense", "jwt"])
async def test_the_new_standard_takes_no_key_pair_and_says_the_same_to_nonsense(bench, token):
    credential = jwt(payload(bench.now)) if token == "jwt" else token
    status, code, message = await answer_to(bench, f"Bearer {credential}", "/tasks?task_ids=0")
    assert (status, code) == (401, 1002)
    assert "does not support AK/SK" in message


async def test_another_scheme_is_refused(bench):
    assert (await answer_to(bench, "Basic YTpi"))[:2] == (401, 1002)


@pytest.mark.parametrize("path", [NO_TASK, COSTS])
async def test_a_signed_token_opens_the_legacy_dialect(bench, path):
    status, code, _ = await answer_to(bench, f"Bearer {jwt(payload(bench.now))}", path)
    assert (status, code) == ((400, 1201) if path == NO_TASK else (200, 0))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1_790_000_000}, 1004),
        ({"exp": 1_790_000_001}, None),
        ({"nbf": 1_790_000_001}, 1003),
        ({"nbf": 1_790_000_000}, None),
        ({"exp": "soon"}, 1002),
        ({"iss": "somebody"}, 1002),
        ({"iss": None}, 1002),
    ],
)
async def test_a_token_has_its_time_and_its_issuer(bench, changes, code):
    status, found, _ = await answer_to(bench, f"Bearer {jwt(payload(bench.now, **changes))}")
    assert (status, found) == ((401, code) if code else (400, 1201))


@pytest.mark.parametrize(
    "token",
    [
        jwt(payload(1_790_000_000), secret="wrong"),
        jwt(payload(1_790_000_000), header={"alg": "none"}),
        jwt(payload(1_790_000_000), cut=-2),
        jwt(payload(1_790_000_000)) + "==",
        "a.b.c",
        "e30.e30.e30",
        "W10.W10.W10",
    ],
)
async def test_a_forged_token_is_refused(bench, token):
    assert (await answer_to(bench, f"Bearer {token}"))[:2] == (401, 1002)


async def test_key_and_pair_of_one_account_see_the_same_tasks(bench):
    identifier = await bench.made()
    status, _ = await bench.ask("GET", f"{T2V}/{identifier}", key=jwt(payload(bench.now)))
    assert status == 200


async def test_a_refused_credential_makes_nothing(bench):
    body = {"model_name": "kling-v2-6", "prompt": "a fox"}
    assert (await bench.ask("POST", T2V, key=None, json=body))[0] == 401
    assert (bench.state.creates_received, bench.state.creates_accepted) == (1, 0)
    assert bench.state.refusals == {(401, 1001): 1}


async def test_the_state_does_not_show_its_keys(bench):
    bench.state.api_keys["api-key-kling-secret"] = "a"
    bench.state.comfy_tokens["token-secret"] = "b"
    assert "secret" not in repr(bench.state)
