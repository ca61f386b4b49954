"""A server that repeats the key: no part of it is shown, written down or raised, by whichever way it came."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis import errors
from kling_takes.apis.redaction import MARK, SHORTEST
from kling_takes.apis.settings import Settings, load_settings
from kling_takes.simulator.state import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY
from kling_takes.tests.stage import Stage, serving, stage

KEY = "sk-Q7vL2xWn94bTzR8mKd3pYc6h"
TOKEN = "tok-8Hq1Zs5Xe0Vd7Gk2Rb9Nf4Ju"


class Parrot:
    """A server that says, in a form of its own, the secret that was sent to it."""

    def __init__(self, say: Callable[[str], web.Response]) -> None:
        self._say = say
        self.heard: set[str] = set()
        self.lines: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        sent = request.headers.get("X-API-KEY") or request.headers["Authorization"].split(" ")[1]
        self.heard.add(sent)
        self.lines.append(request.path_qs)
        return self._say(sent)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


def as_json(status: int = 400, **fields: Any) -> Callable[[str], web.Response]:
    """A JSON answer in which every {} is the secret."""

    def put(value: Any, secret: str) -> Any:
        if isinstance(value, str):
            return value.replace("{}", secret)
        if isinstance(value, dict):
            return {put(name, secret): put(entry, secret) for name, entry in value.items()}
        return [put(entry, secret) for entry in value] if isinstance(value, list) else value

    return lambda secret: web.json_response(put(fields, secret), status=status)


def as_text(status: int, text: str, **headers: str) -> Callable[[str], web.Response]:
    return lambda secret: web.Response(
        status=status,
        text=text.replace("{}", secret),
        headers={name.replace("_", "-"): value.replace("{}", secret) for name, value in headers.items()},
    )


def escaped(secret: str) -> web.Response:
    text = "".join(f"\\u{ord(char):04x}" for char in secret)
    return web.Response(status=400, text=f'{{"code": 1201, "message": "{text}", "request_id": "{text}"}}')


def cut(length: int) -> Callable[[str], web.Response]:
    return lambda secret: web.json_response(
        {"code": 1002, "message": f"bad {secret[:length]}", "request_id": secret[-length:]}, status=401
    )


SAYS: dict[str, Callable[[str], web.Response]] = {
    "in the message": as_json(401, code=1002, message="invalid token Bearer {}"),
    "of each code": as_json(429, code=1102, message="{}"),
    "of an unknown code": as_json(400, code=4711, message="{} {}"),
    "cut to a part": cut(SHORTEST),
    "almost whole": cut(20),
    "in escapes": escaped,
    "as the request id": as_json(400, code=1301, message="no", request_id="{}"),
    "long before the cut of the request id": as_json(400, code=1301, request_id="r" * 90 + "{}"),
    "long before the cut of the message": as_json(400, code=1301, message="r" * 290 + "{}"),
    "as a name": as_json(400, code=1201, message="no", data={"{}": {"{}": 1}}),
    "in a page": as_text(502, "<html><pre>Authorization: Bearer {}</pre></html>"),
    "in a page that is cut": as_text(502, "<html>" + "x" * 1980 + "{}"),
    "in a page of a firewall": as_text(403, "<html>{}"),
    "in headers": as_text(429, "", Retry_After="{}", Location="https://{}/", WWW_Authenticate="Bearer {}"),
    "in a redirect": as_text(307, "", Location="https://elsewhere/?token={}"),
    "in half an answer": as_text(200, '{"code": 0, "data": {"task_id": "{}'),
    "as a task's id": as_json(200, code=0, data={"task_id": "{}", "task_status": "submitted"}),
    "within a task's id": as_json(200, code=0, data={"task_id": "1-{}-2", "task_status": "succeed"}),
    "as a status": as_json(200, code=0, data={"task_id": "1", "task_status": "{}"}),
    "as an unknown end": as_json(200, code=0, data={"task_id": "1", "task_status": "canceled", "x": "{}"}),
    "as the reason of a failure": as_json(
        200, code=0, data={"task_id": "1", "task_status": "failed", "task_status_msg": "because {}"}
    ),
    "in a link": as_json(
        200,
        code=0,
        data={
            "task_id": "1",
            "task_status": "succeed",
            "task_result": {"videos": [{"id": "{}", "url": "https://127.0.0.1:9/{}.mp4", "duration": "{}"}]},
        },
    ),
    "in a link, escaped": as_json(
        200,
        code=0,
        data={
            "task_id": "1",
            "task_status": "succeed",
            "task_result": {"videos": [{"url": "https://127.0.0.1:9/v.mp4?k=%73{}"}]},
        },
    ),
    "as another id of ours": as_json(
        200, code=0, data={"task_id": "1", "task_status": "failed", "task_info": {"external_task_id": "{}"}}
    ),
    "in Comfy.org's form": as_json(400, error={"message": "no {}", "type": "{}"}),
    "in a form of its own": as_json(400, error="no {}"),
    "as a conflict": as_json(409, error={"message": "idempotency {}", "type": "{}"}),
    "as something else": as_json(200, code=0, data=["{}", {"{}": "{}"}], message="{}"),
}


def credentials(place: Stage, url: str) -> dict[str, tuple[Settings, set[str]]]:
    """Settings for each kind of credential, and what of it is secret."""
    url_and_patience = {"KLING_API_BASE": url, "KLING_MAX_WAIT_MINUTES": "4"}
    pair = {"KLING_ACCESS_KEY": SIMULATOR_ACCESS_KEY, "KLING_SECRET_KEY": SIMULATOR_SECRET_KEY}
    return {
        "a key": (place.settings(KEY, **url_and_patience), {KEY}),
        "a pair": (
            place.settings(None, **url_and_patience, **pair),
            {SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY},
        ),
        "Comfy.org": (_comfy(place, url, comfy_token=TOKEN), {TOKEN}),
        "a Comfy.org key": (_comfy(place, url, comfy_api_key=KEY), {KEY}),
    }


def _comfy(place: Stage, url: str, **login: str) -> Settings:
    return load_settings({}, place.folder / "user", comfy_api_base=url, **login)


def everything_of(error: BaseException) -> Iterator[str]:
    """Whatever a log, a debugger or a report of an error could show, local variables included."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
        left += [one.__cause__, one.__context__]
    yield "".join(traceback.format_exception(error))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/apis/" in frame.f_code.co_filename.replace("\\", "/"):
            held = [
                value for value in frame.f_locals.values() if isinstance(value, str | bytes | dict | tuple)
            ]
            yield from map(repr, held)


def everything_in(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        yield path.name
        if path.is_file():
            yield path.read_bytes().decode("latin-1")


def parts_in(texts: Iterator[str], secrets: set[str]) -> list[str]:
    parts = {secret[at : at + SHORTEST] for secret in secrets for at in range(len(secret) - SHORTEST + 1)}
    return [text for text in texts if any(part in text for part in parts)]


#: each way with a key, and some with the other credentials
WAYS = [(how, "a key") for how in SAYS] + [
    (how, kind)
    for how in (
        "in the message",
        "cut to a part",
        "in escapes",
        "within a task's id",
        "in a page",
        "as a conflict",
    )
    for kind in ("a pair", "Comfy.org", "a Comfy.org key")
]


@pytest.mark.parametrize(("how", "kind"), WAYS)
async def test_what_a_server_repeats_is_shown_and_written_down_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    parrot = Parrot(SAYS[how])
    async with stage(tmp_path) as s, serving(parrot.app()) as url:
        settings, secrets = credentials(s, url)[kind]
        studio = s.studio(settings=settings)
        runs: list[Callable[[], Any]] = [lambda: s.take(studio), lambda: s.take(studio)]
        runs += [lambda: s.recover(studio, "1"), lambda: s.recover(studio, "kt-1"), studio.account]
        raised: list[errors.KlingTakesError] = []
        for run in runs:
            try:
                await run()
            except errors.KlingTakesError as error:
                raised.append(error)
        assert parrot.heard
        secrets |= parrot.heard
        for error in raised:
            assert not parts_in(everything_of(error), secrets)
        assert not parts_in(iter(s.heard.lines), secrets)
        assert not parts_in(iter(parrot.lines), secrets)
        assert not parts_in(iter([caplog.text]), secrets)
        for journal in s.journals:
            journal.close()
        assert not parts_in(everything_in(tmp_path), secrets)


async def refused(tmp_path: Path, how: str) -> tuple[list[str], list[str]]:
    """What two runs of a take at a parrot are told, and the addresses that they asked."""
    parrot = Parrot(SAYS[how])
    told = []
    async with stage(tmp_path) as s, serving(parrot.app()) as url:
        studio = s.studio(settings=s.settings(KEY, KLING_API_BASE=url))
        for _ in range(2):
            with pytest.raises(errors.KlingTakesError) as caught:
                await s.take(studio)
            told.append(str(caught.value))
    return told, parrot.lines


@pytest.mark.parametrize("how", ["as a task's id", "within a task's id"])
async def test_a_task_whose_id_holds_the_key_is_in_doubt_and_not_bought_again(
    tmp_path: Path, how: str
) -> None:
    told, lines = await refused(tmp_path, how)
    assert all("an id with a part of your key in it" in each for each in told)
    assert all("never bought twice" in each for each in told)
    assert [line for line in lines if "kt-" not in line] == ["/v1/videos/text2video"]


@pytest.mark.parametrize("how", ["in a link", "in a link, escaped"])
async def test_a_link_with_the_key_in_it_is_not_followed(tmp_path: Path, how: str) -> None:
    told, _ = await refused(tmp_path, how)
    assert all("the link has a part of your key in it, so it was not followed" in each for each in told)


async def test_what_a_server_says_beside_the_key_is_still_quoted(tmp_path: Path) -> None:
    told, _ = await refused(tmp_path, "in the message")
    assert f"Kling's words: “invalid token Bearer {MARK}”" in told[0]


async def test_the_token_of_an_earlier_request_is_hidden_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key pair signs anew while an answer is under way, and the answer names the old token."""
    monkeypatch.setattr("kling_takes.apis.account_reads.ACCOUNT_PAUSE", 0.0)
    first: list[str] = []

    def say_first(secret: str) -> web.Response:
        first.append(secret)
        return web.json_response({"code": 1201, "message": f"{first[0]} and {secret}"}, status=400)

    parrot = Parrot(say_first)
    async with stage(tmp_path) as s, serving(parrot.app()) as url:
        settings, secrets = credentials(s, url)["a pair"]
        studio = s.studio(settings=settings)
        for _ in range(2):
            with pytest.raises(errors.ApiError) as caught:
                await studio.account()
            s.clock.now += 3600
        assert len(parrot.heard) == 2
        assert not parts_in(everything_of(caught.value), parrot.heard | secrets)


async def test_a_proxy_of_the_network_that_repeats_the_key_is_quoted_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parrot = Parrot(SAYS["in a page of a firewall"])
    async with stage(tmp_path) as s, serving(parrot.app()) as url:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, url.replace("http://", "http://me:pass-word-of-the-proxy@"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        studio = s.studio(settings=s.settings(KEY, KLING_API_BASE="http://localhost:9"))
        with pytest.raises(errors.AccountRefused) as caught:
            await s.take(studio)
        assert not parts_in(everything_of(caught.value), {KEY, "pass-word-of-the-proxy"})
        assert not parts_in(everything_in(tmp_path), {KEY, "pass-word-of-the-proxy"})


async def test_the_public_key_of_the_simulator_hides_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        environ = {"KLING_BACKEND": "simulator"}
        settings = load_settings(environ, tmp_path / "user", simulator_url=s.url)
        assert settings.credential.secrets() == ()
        s.state.refuse_code = 1201
        with pytest.raises(errors.RequestRefused) as caught:
            await s.take(s.studio(settings=settings), prompt="the api-key-kling-simulator")
        assert MARK not in str(caught.value)
