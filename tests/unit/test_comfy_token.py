"""The sign-in at Comfy.org stays good while a node waits, and no other credential is touched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import errors
from kling_takes.apis.comfy_token import RENEW_PATH, TRY_AGAIN, claims_of
from kling_takes.apis.redaction import MARK, SHORTEST
from kling_takes.tests.stage import Stage, stage
from kling_takes.tests.virtual_time import NOON

AUDIENCE = "comfy-partner-node"
#: long enough for a token of ten minutes to end while it waits
SLOW = {"processing_seconds": 900.0}


def jwt(**claims: Any) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signature = hashlib.sha256(repr(claims).encode()).hexdigest()
    return f"{part({'alg': 'ES256', 'typ': 'JWT'})}.{part(claims)}.{signature}"


def partner_token(folder: Path, seconds: float, **claims: Any) -> str:
    """A token that ends ``seconds`` after noon; no two tests have the same."""
    plain = {"aud": AUDIENCE, "sid": "session-1", "sub": folder.name, "exp": NOON + seconds}
    return jwt(**{**plain, **claims})


class ComfyOrg:
    """The gate of Comfy.org: it knows its tokens, and renews them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place: Stage
        self.renewals: list[str] = []
        self.creates: list[tuple[str, str]] = []
        self.polls: list[str] = []
        self.accepted = 0
        #: whether it repeats the token instead of doing anything
        self.repeats = False
        #: tokens that it no longer takes, and what it answers a renewal with, instead of a fresh token
        self.revoked: set[str] = set()
        self.answer: Callable[[str], web.Response] | None = None

    def fresh(self, old: str) -> str:
        token = partner_token(self.folder, self.place.clock.now - NOON + 3600, gen=len(self.renewals))
        self.place.state.comfy_tokens[token] = self.folder.name
        return token

    @web.middleware
    async def gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path == RENEW_PATH:
            self.renewals.append(token)
            await asyncio.sleep(0)
            if self.answer is not None:
                return self.answer(token)
            return web.json_response({"token": self.fresh(token)})
        if request.path.startswith("/proxy/"):
            if request.method == "POST":
                self.creates.append((token, request.headers["Idempotency-Key"]))
            else:
                self.polls.append(token)
            claims = claims_of(token)
            if token in self.revoked or (claims is not None and claims["exp"] < self.place.clock.now):
                refusal = {"message": "token expired", "type": "unauthorized"}
                return web.json_response({"error": refusal}, status=401)
            if self.repeats:
                return web.json_response({"error": {"message": f"no {token}", "type": token}}, status=400)
        response: web.StreamResponse = await handler(request)
        return response


@asynccontextmanager
async def signed_in(folder: Path, token: str, **knobs: Any) -> AsyncIterator[ComfyOrg]:
    gate = ComfyOrg(folder)
    async with stage(folder, gate.gate, comfy_tokens={token: folder.name}, **knobs) as gate.place:
        yield gate


async def test_a_sign_in_that_ends_while_a_node_waits_is_renewed_in_time(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 600)
    async with signed_in(tmp_path, token, **SLOW) as comfy:
        await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert comfy.renewals == [token]
        assert comfy.polls[0] == token != comfy.polls[-1]
        assert len(comfy.creates) == len(comfy.place.committed) == 1


@pytest.mark.parametrize(("seconds", "renewals"), [(299, 1), (301, 0)])
async def test_it_is_renewed_with_less_than_five_minutes_left(
    tmp_path: Path, seconds: float, renewals: int
) -> None:
    token = partner_token(tmp_path, seconds)
    async with signed_in(tmp_path, token) as comfy:
        connection = comfy.place.studio(settings=comfy.place.comfy_settings(token)).context.api.connection
        assert connection.renewal is not None
        assert (await connection.renewal.before() != token) is bool(renewals)
        assert len(comfy.renewals) == renewals


async def test_a_create_that_is_refused_for_its_token_goes_out_again_under_the_same_key(
    tmp_path: Path,
) -> None:
    token = partner_token(tmp_path, 3600)
    async with signed_in(tmp_path, token) as comfy:
        comfy.revoked.add(token)
        await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        (first, key), (second, same_key) = comfy.creates
        assert first == token != second
        assert key == same_key
        assert len(comfy.renewals) == len(comfy.place.committed) == 1


async def test_a_token_that_is_refused_as_soon_as_it_is_renewed_is_told(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 3600)
    async with signed_in(tmp_path, token) as comfy:
        comfy.revoked.add(token)

        def useless(_: str) -> web.Response:
            comfy.revoked.add(partner_token(tmp_path, 7200))
            return web.json_response({"token": partner_token(tmp_path, 7200)})

        comfy.answer = useless
        with pytest.raises(errors.AuthenticationFailed, match="Sign in to Comfy"):
            await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert len(comfy.creates) == 2
        assert len(comfy.renewals) == 1


async def test_many_nodes_with_one_sign_in_renew_it_once(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 100)
    async with signed_in(tmp_path, token, concurrency_limit=50) as comfy:
        studios = [comfy.place.studio(settings=comfy.place.comfy_settings(token)) for _ in range(8)]
        takes = [comfy.place.take(studio, take=number) for number, studio in enumerate(studios)]
        await asyncio.gather(*takes)
        assert comfy.renewals == [token]
        assert token not in comfy.polls


async def test_many_nodes_that_are_refused_at_once_renew_it_once(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 3600)
    async with signed_in(tmp_path, token, concurrency_limit=50) as comfy:
        comfy.revoked.add(token)
        studios = [comfy.place.studio(settings=comfy.place.comfy_settings(token)) for _ in range(8)]
        connections = [studio.context.api.connection for studio in studios]
        renewals = [connection.renewal.after_refusal(token) for connection in connections]  # type: ignore[union-attr]
        assert await asyncio.gather(*renewals) == [True] * 8
        assert comfy.renewals == [token]
        comfy.answer = lambda _: web.Response(status=401)
        newest = comfy.place.comfy_settings(token).credential.headers(0.0)["Authorization"].split()[1]
        again = [connection.renewal.after_refusal(newest) for connection in connections]  # type: ignore[union-attr]
        assert await asyncio.gather(*again) == [False] * 8
        assert comfy.renewals == [token, newest]


def in_two_pieces(text: str) -> web.Response:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (text[:20], text[20:]):
            yield piece.encode()
            await asyncio.sleep(0.01)

    return web.Response(body=pieces())


async def test_an_answer_that_comes_in_pieces_is_read_whole(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 600)
    async with signed_in(tmp_path, token, **SLOW) as comfy:
        comfy.answer = lambda old: in_two_pieces(json.dumps({"token": comfy.fresh(old)}))
        await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert len(comfy.renewals) == 1


REFUSALS: list[Callable[[str], web.Response]] = [
    lambda _: web.Response(status=401),
    lambda _: web.Response(status=500),
    lambda _: web.Response(status=302, headers={"Location": "/elsewhere"}),
    lambda _: web.Response(text="<html>"),
    lambda _: web.Response(text="[" * 100_000),
    lambda _: web.json_response(["token"]),
    lambda _: web.json_response({"token": 5}),
    lambda _: web.json_response({"token": "no JWT"}),
    lambda old: web.json_response({"token": old}),
    lambda old: web.json_response({"token": jwt(aud=AUDIENCE, sid="of-another", exp=NOON + 9000)}),
    lambda old: web.json_response(
        {"token": jwt(aud=AUDIENCE, sid="session-1", exp=NOON + 9000) + "\r\nX: y"}
    ),
    lambda old: web.json_response({"token": jwt(aud="comfy-api", sid="session-1", exp=NOON + 9000)}),
]


@pytest.mark.parametrize("answer", REFUSALS)
async def test_where_it_is_not_renewed_the_old_one_is_used_and_comfy_org_is_not_pestered(
    tmp_path: Path, answer: Callable[[str], web.Response]
) -> None:
    token = partner_token(tmp_path, 290)
    async with signed_in(tmp_path, token, processing_seconds=200.0) as comfy:
        comfy.answer = answer
        await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert set(comfy.polls) == {token}
        assert 2 <= len(comfy.renewals) <= 200 / TRY_AGAIN + 1
        assert len(comfy.polls) > len(comfy.renewals)


async def test_a_renewal_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kling_takes.apis.comfy_token.PATIENCE", 0.05)
    token = partner_token(tmp_path, 290)
    async with signed_in(tmp_path, token) as comfy:

        @web.middleware
        async def hanging(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.path == RENEW_PATH:
                await asyncio.sleep(1)
            return await comfy.gate(request, handler)  # type: ignore[no-any-return]

        async with stage(tmp_path / "hanging", hanging, comfy_tokens={token: "me"}) as comfy.place:
            await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert set(comfy.polls) == {token}


@pytest.mark.parametrize(
    "token",
    [
        "an-opaque-sign-in-token",
        "a.%%%.c",
        "a.WzFd.c",
        jwt(aud="comfy-api", sid="s", exp=NOON - 10),
        jwt(aud=[AUDIENCE, "comfy-api"], sid="s", exp=NOON - 10),
        jwt(aud=AUDIENCE, exp=NOON - 10),
        jwt(aud=AUDIENCE, sid="s"),
        jwt(aud=AUDIENCE, sid="s", exp=True),
        jwt(aud=AUDIENCE, sid="s", exp="1"),
        jwt(aud=AUDIENCE, sid="s", exp=10**400),
        jwt(aud=AUDIENCE, sid=5, exp=NOON - 10),
    ],
)
async def test_any_other_sign_in_is_left_as_it_is(tmp_path: Path, token: str) -> None:
    async with signed_in(tmp_path, token) as comfy:
        comfy.revoked.add(token)
        with pytest.raises(errors.AuthenticationFailed):
            await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert comfy.renewals == []
        assert [used for used, _ in comfy.creates] == [token]


def test_an_audience_may_stand_in_a_list() -> None:
    assert claims_of(jwt(aud=[AUDIENCE], sid="s", exp=5)) is not None


@pytest.mark.parametrize("claims", [{}, {"sub": None}])
async def test_a_renewed_sign_in_is_the_same_account_and_so_is_that_of_the_next_prompt(
    tmp_path: Path, claims: dict[str, Any]
) -> None:
    token, next_token = (partner_token(tmp_path, seconds, **claims) for seconds in (100, 5000))
    async with signed_in(tmp_path, token) as comfy:
        comfy.place.state.comfy_tokens[next_token] = tmp_path.name
        settings, journal = comfy.place.comfy_settings(token), comfy.place.journal()
        first = await comfy.place.take(comfy.place.studio(journal, settings=settings))
        assert comfy.renewals == [token]
        later = comfy.place.comfy_settings(next_token)
        assert settings.account == comfy.place.comfy_settings(token).account == later.account
        assert (await comfy.place.take(comfy.place.studio(journal, settings=later))).task_id == first.task_id
        assert len(comfy.place.committed) == 1


async def test_codes_of_kling_do_not_renew_a_sign_in(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 3600)
    async with signed_in(tmp_path, token, refuse_code=1002) as comfy:
        with pytest.raises(errors.AccountRefused):
            await comfy.place.take(comfy.place.studio(settings=comfy.place.comfy_settings(token)))
        assert comfy.renewals == []


async def test_a_renewed_token_that_is_repeated_is_hidden_like_the_first(tmp_path: Path) -> None:
    token = partner_token(tmp_path, 100)
    async with signed_in(tmp_path, token) as comfy:
        comfy.repeats = True
        studio = comfy.place.studio(settings=comfy.place.comfy_settings(token))
        with pytest.raises(errors.Refused) as caught:
            await comfy.place.take(studio)
        ((fresh, _),) = comfy.creates
        assert fresh != token
        (row,) = studio.context.journal.open().execute("SELECT failure FROM tasks").fetchall()
        for text in (str(caught.value), str(vars(caught.value)), *comfy.place.heard.lines, *row):
            assert not any(fresh[at : at + SHORTEST] in text for at in range(len(fresh) - SHORTEST + 1))
        assert f"no {MARK}" in str(caught.value)
