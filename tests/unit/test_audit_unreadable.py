"""A bill that can't be read, or reads oddly, is no bill that agrees, and brings no key into the text."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.simulator.faults import Fault
from kling_takes.simulator.state import (
    SIMULATOR_ACCESS_KEY,
    SIMULATOR_KEY,
    SIMULATOR_SECRET_KEY,
    State,
)
from kling_takes.tests.stage import Stage, serving, stage
from kling_takes.tests.virtual_time import VirtualClock


async def test_comfy_org_is_not_asked(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        audit = await s.studio(settings=s.comfy_settings()).audit()
        assert not s.state.requests
    assert not audit.agrees
    assert "Comfy.org account" in audit.text()


@pytest.mark.parametrize("fault", [Fault("account", "html_403"), Fault("account", "error_500_before")])
async def test_a_bill_that_can_t_be_read_is_no_bill_that_agrees(tmp_path: Path, fault: Fault) -> None:
    async with stage(tmp_path, faults=[fault]) as s:
        audit = await s.studio().audit()
    assert not audit.agrees
    assert audit.text().startswith("Not checked against Kling's bill. It can't be read here: ")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "says nothing about the bill"),
        ({"result": {"detail": []}, "has_more": True}, "does not say where they are"),
        ({"result": {"detail": []}, "has_more": True, "next_cursor": "again"}, "comes round"),
        ({"result": {"detail": "none"}}, "in a form that this version does not know"),
    ],
)
async def test_an_odd_answer_is_no_bill_that_agrees(tmp_path: Path, data: Any, words: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data})

    app = web.Application()
    app.router.add_post("/account/billing/{which}", answer)
    async with serving(app) as url:
        s = Stage(url, State(), VirtualClock(), tmp_path)
        audit = await asyncio.wait_for(s.studio().audit(), 5)
        s.close()
    assert not audit.agrees
    assert words in audit.text()


async def test_an_account_without_any_deduction_may_have_no_list(tmp_path: Path) -> None:
    data = {"result": None, "next_cursor": None, "has_more": None}

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"code": 0, "message": "SUCCEED", "data": data})

    app = web.Application()
    app.router.add_post("/account/billing/{which}", answer)
    async with serving(app) as url:
        s = Stage(url, State(), VirtualClock(), tmp_path)
        assert (await s.studio().audit()).text().endswith("nothing was billed.")
        s.close()


async def test_a_gateway_that_does_not_hand_it_on_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path, serves_billing=False) as s:
        assert "This address does not serve it" in (await s.studio().audit()).text()


async def test_a_key_pair_is_told_that_the_bill_needs_an_api_key(tmp_path: Path) -> None:
    pair = {"KLING_ACCESS_KEY": SIMULATOR_ACCESS_KEY, "KLING_SECRET_KEY": SIMULATOR_SECRET_KEY}
    async with stage(tmp_path) as s:
        text = (await s.studio(settings=s.settings(None, **pair)).audit()).text()
    assert "does not support AK/SK" in text
    assert SIMULATOR_SECRET_KEY not in text


async def test_a_server_that_repeats_the_key_brings_it_into_no_audit(tmp_path: Path) -> None:
    async with stage(tmp_path, echo=str) as s:
        studio = s.studio()
        s.state.seed_task("text2video")
        audit = await studio.audit()
        s.state.serves_billing = False
        refused = await studio.audit()
    assert len(audit.unknown) == 1
    for text in (repr(audit), audit.text(), repr(refused), refused.text()):
        assert SIMULATOR_KEY not in text
