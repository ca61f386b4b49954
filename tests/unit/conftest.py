"""A downloader that nothing in the environment lies to, and a ComfyUI of paper for nodes."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kling_takes import headless
from kling_takes.apis import journal
from kling_takes.apis.context import Policy
from kling_takes.apis.download import part_file
from kling_takes.apis.reporter import TakeReporter
from kling_takes.apis.studio import Studio
from kling_takes.tests.cdn import Downloader, open_files
from kling_takes.tests.fake_comfyui import FakeComfyUI, serving
from kling_takes.tests.paper_comfyui import Artist, put_up

#: Kling is asked at once and often, or each test of a node would wait as long as a video takes
IMPATIENT = Policy(poll_floor=0.01, poll_ceiling=0.02)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no netrc file, whatever the environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def downloader(tmp_path: Path, no_proxies: None) -> AsyncIterator[Downloader]:
    """A downloader whose end checks that no file, socket, task or claim is left."""
    before = open_files()
    async with aiohttp.ClientSession() as session:
        yield Downloader(session, tmp_path / "kling_takes" / "8421.mp4")
    await asyncio.sleep(0.01)
    assert not part_file._held
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    gc.collect()
    left = open_files() - before
    assert not {each for each in left if not each.startswith("socket:")}
    if len(left) > 1:  # the server of the test closes its sockets a moment later
        await asyncio.sleep(0.1)
        assert len(open_files() - before) <= 1


@pytest.fixture
def artist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Artist]:
    """Who sits before a ComfyUI of paper in ``tmp_path``; no key and no address are set."""
    for name in [name for name in os.environ if name.startswith("KLING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(Studio, "open", staticmethod(functools.partial(Studio.open, policy=IMPATIENT)))
    artist = Artist()
    put_up(tmp_path, monkeypatch, artist)
    yield artist
    journal.close_journals()
    TakeReporter.shared.clear()


@pytest.fixture
def kling(artist: Artist, simulator: Any, canary: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The simulator as the API, with a key that works."""
    simulator.state.api_keys[canary] = "tests"
    monkeypatch.setenv("KLING_API_BASE", simulator.url)
    monkeypatch.setenv("KLING_API_KEY", canary)
    return simulator


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let headless.py look at the queue all the time, without a Comfy.org key from the environment."""
    monkeypatch.setattr(headless, "GLANCE", 0.001)
    monkeypatch.delenv("COMFY_API_KEY", raising=False)


@pytest.fixture
def comfy() -> Iterator[FakeComfyUI]:
    """A ComfyUI that is there for headless.py alone."""
    with serving(FakeComfyUI()) as fake:
        yield fake
