"""A bench for downloads, on which nothing of the environment lies about."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kling_takes.apis.download import part_file
from kling_takes.tests.cdn import Bench, open_files


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no netrc file, whatever the environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def bench(tmp_path: Path, no_proxies: None) -> AsyncIterator[Bench]:
    """A bench whose end checks that no file, socket, task or claim is left."""
    before = open_files()
    async with aiohttp.ClientSession() as session:
        yield Bench(session, tmp_path / "kling_takes" / "8421.mp4")
    await asyncio.sleep(0.01)
    assert not part_file._held
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    gc.collect()
    left = open_files() - before
    assert not {each for each in left if not each.startswith("socket:")}
    if len(left) > 1:  # the server of the test closes its sockets a moment later
        await asyncio.sleep(0.1)
        assert len(open_files() - before) <= 1
