"""Several servers of one installation share the folder of takes: each has its own part, all deliver whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kling_takes.apis import kept
from kling_takes.apis.download import part_file
from kling_takes.tests.cdn import Cdn, Downloader, cut, serve, serving

ROOT = Path(__file__).resolve().parents[2]

FETCH = """
import asyncio, sys, types
from collections.abc import Callable
from pathlib import Path
package = types.ModuleType("kling_takes")
package.__path__ = [sys.argv[1]]
sys.modules["kling_takes"] = package
from kling_takes.apis.download import DownloadPolicy, download
from kling_takes.apis.transport import open_session

async def fetch(url, target):
    async def refresh():
        raise AssertionError("the link is good")
    async with open_session() as session:
        await download(session, url, target, refresh=refresh, opens=lambda path: True, api_is_loopback=True,
                       policy=DownloadPolicy(first_delay=0.01, stall_seconds=2, chunk_bytes=4096))

asyncio.run(fetch(sys.argv[2], Path(sys.argv[3])))
"""


async def test_two_processes_that_fetch_one_result_at_once_both_end_with_the_whole_file(
    downloader: Downloader,
) -> None:
    async with serving(Cdn([cut(90_000), cut(120_000), cut(30_000), serve])) as cdn:
        runs = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                FETCH,
                str(ROOT),
                cdn.url,
                str(downloader.target),
                stderr=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        said = [(await run.communicate())[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    downloader.whole()


async def test_a_file_that_comes_whole_and_does_not_open_is_fetched_once_more(downloader: Downloader) -> None:
    seen: list[int] = []

    def opens(path: Path) -> bool:
        seen.append(path.stat().st_size)
        return len(seen) > 1

    async with serving(Cdn([serve])) as cdn:
        await downloader.get(cdn.url, opens=opens)
    downloader.whole()
    assert len(cdn.requests) == 2


async def test_a_file_that_never_opens_is_not_delivered_and_leaves_nothing(downloader: Downloader) -> None:
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(
            cdn.url, "what came does not open as a video", opens=lambda path: kept.opens(path, "video")
        )
    assert list(downloader.target.parent.iterdir()) == []


async def test_a_part_that_was_replaced_under_the_writer_is_not_delivered(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = part_file.PartFile._finish

    def replaced(self: part_file.PartFile, opens: Callable[[Path], bool]) -> bool:
        other = downloader.part.with_name("other")
        other.write_bytes(b"of another server")
        other.replace(downloader.part)
        return real(self, opens)

    monkeypatch.setattr(part_file.PartFile, "_finish", replaced)
    async with serving(Cdn([serve])) as cdn:
        await downloader.fails(cdn.url, "something else wrote into the file")
    assert list(downloader.target.parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for what Windows does")
async def test_where_a_reader_holds_the_target_the_file_of_the_faster_process_is_used(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(self: Path, target: Path) -> Path:
        target.write_bytes(b"whole, by another process")
        raise PermissionError(13, "in use")

    async with serving(Cdn([serve])) as cdn:
        monkeypatch.setattr(Path, "replace", held)
        await downloader.get(cdn.url)
    assert downloader.target.read_bytes() == b"whole, by another process"
    assert list(downloader.target.parent.iterdir()) == [downloader.target]
