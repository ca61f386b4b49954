"""A download and the disk: cancelled, shared, refused, and never whole in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kling_takes.apis.download import DownloadPolicy, download, part_file
from kling_takes.apis.errors import DownloadFailed
from kling_takes.tests.cdn import POLICY, VIDEO, Cdn, Downloader, say, serve, serving, stall


async def cancelled(job: asyncio.Task[Path]) -> float:
    """Cancel, and give the seconds it took to end."""
    started = asyncio.get_running_loop().time()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    return asyncio.get_running_loop().time() - started


async def until(ready: Callable[[], bool]) -> None:
    for _ in range(400):
        if ready():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


async def test_a_cancelled_download_keeps_its_part_and_the_next_one_goes_on(downloader: Downloader) -> None:
    patient = dataclasses.replace(POLICY, stall_seconds=30)
    async with serving(Cdn([stall(200_000), serve])) as cdn:
        job = asyncio.create_task(downloader.get(cdn.url, patient))
        await until(lambda: downloader.part.exists() and downloader.part.stat().st_size >= 150_000)
        assert await cancelled(job) < 0.5
        await until(lambda: not cdn.open_requests)
        kept = downloader.part.stat().st_size
        assert downloader.part.read_bytes() == VIDEO[:kept]
        await downloader.get(cdn.url)
    downloader.whole()
    assert cdn.ranges() == [None, f"bytes={kept}-"]


@pytest.mark.parametrize("step", ["_open", "_restart", "_write", "_finish"])
async def test_a_cancel_does_not_wait_for_a_disk_that_hangs(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The thread can't be stopped; it closes the file when it ends, and only then the target is free."""
    hanging, go_on = threading.Event(), threading.Event()
    real = getattr(part_file.PartFile, step)

    def slow(self: part_file.PartFile, *args: Any) -> Any:
        hanging.set()
        go_on.wait(5)
        return real(self, *args)

    monkeypatch.setattr(part_file.PartFile, step, slow)
    async with serving(Cdn([serve])) as cdn:
        job = asyncio.create_task(downloader.get(cdn.url))
        await asyncio.to_thread(hanging.wait, 5)
        assert await cancelled(job) < 0.5
        assert part_file._held
        monkeypatch.setattr(part_file.PartFile, step, real)
        following = asyncio.create_task(downloader.get(cdn.url))
        await asyncio.sleep(0.06)
        assert not following.done()
        go_on.set()
        await following
    downloader.whole()


async def test_two_downloads_of_one_target_share_one_file(downloader: Downloader) -> None:
    async def slowly(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.03)
        return await serve(cdn, request)

    async with serving(Cdn([slowly])) as cdn:
        assert await asyncio.gather(*(downloader.get(cdn.url) for _ in range(4))) == [downloader.target] * 4
    downloader.whole()
    assert len(cdn.requests) == 1


async def test_a_second_download_takes_over_when_the_first_fails(downloader: Downloader) -> None:
    async with serving(Cdn([say(400), serve])) as cdn:
        first, second = await asyncio.gather(
            downloader.get(cdn.url), downloader.get(cdn.url), return_exceptions=True
        )
    assert isinstance(first, DownloadFailed)
    assert second == downloader.target
    downloader.whole()


async def test_downloads_of_different_targets_run_at_once(downloader: Downloader, tmp_path: Path) -> None:
    async with serving(Cdn([serve])) as cdn:
        others = [Downloader(downloader.session, tmp_path / f"{number}.mp4") for number in range(6)]
        await asyncio.gather(*(other.get(cdn.url) for other in others))
    assert all(other.target.read_bytes() == VIDEO for other in others)


async def test_a_callers_own_error_ends_the_download_cleanly(downloader: Downloader) -> None:
    def broken(come: int, total: int | None) -> None:
        raise ValueError("a bug of the caller")

    async with serving(Cdn([serve])) as cdn:
        with pytest.raises(ValueError, match="a bug of the caller"):
            await download(
                downloader.session,
                cdn.url,
                downloader.target,
                refresh=downloader.refresh,
                opens=lambda path: True,
                api_is_loopback=True,
                progress=broken,
            )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
async def test_a_full_disk_is_said(downloader: Downloader) -> None:
    downloader.target.parent.mkdir()
    downloader.part.symlink_to("/dev/full")
    async with serving(Cdn([serve])) as cdn:
        text = await downloader.fails(cdn.url, "the disk is full")
    assert "Free some space" in text
    assert len(cdn.requests) == 1


async def test_a_folder_that_can_not_be_made_is_said(downloader: Downloader) -> None:
    downloader.target.parent.write_text("a file where the folder should be")
    async with serving(Cdn([serve])) as cdn:
        with pytest.raises(DownloadFailed, match="could not be saved") as caught:
            await downloader.get(cdn.url)
    assert cdn.requests == []
    assert str(downloader.target.parent) not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "may not write into its folder kling_takes"),
        (errno.EROFS, "may not write into its folder kling_takes"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "the disk refused"),
    ],
)
@pytest.mark.parametrize("step", ["_open", "_write", "_finish"])
async def test_what_the_disk_refuses_is_said_without_a_path(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, step: str, number: int, says: str
) -> None:
    def refuse(self: part_file.PartFile, *args: Any) -> Any:
        raise OSError(number, os.strerror(number), str(downloader.target))

    monkeypatch.setattr(part_file.PartFile, step, refuse)
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(cdn.url, says)


async def test_a_part_that_another_program_wrote_into_is_not_delivered(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = part_file.PartFile._finish

    def spoilt(self: part_file.PartFile, opens: Callable[[Path], bool]) -> bool:
        with downloader.part.open("ab") as other:
            other.write(b"more")
        return real(self, opens)

    monkeypatch.setattr(part_file.PartFile, "_finish", spoilt)
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(cdn.url, "something else wrote into the file")
    assert list(downloader.target.parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="`resource` is POSIX")
async def test_the_video_is_never_whole_in_memory(downloader: Downloader) -> None:
    import tracemalloc

    size = 40 << 20

    async def large(cdn: Cdn, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        response.content_length = size
        await response.prepare(request)
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            await response.write(block)
        return response

    async with serving(Cdn([large])) as cdn:
        tracemalloc.start()
        try:
            await downloader.get(cdn.url, DownloadPolicy())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert downloader.target.stat().st_size == size
    assert peak < 12 << 20
