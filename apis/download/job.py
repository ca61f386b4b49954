"""From a link that Kling signed to a file on the disk, and never half of one.

The result is paid for, so nothing here gives up lightly: it goes on where it stopped, five times in a row
without progress, and asks for a fresh link when the old one has expired. It is made and kept at Kling,
so giving up costs nothing either, and every error says so.

The link decides nothing: only https is followed (http where the API itself is on this machine),
redirects are checked one by one, and the requests go out through a session of their own that knows no
key, no cookie and no netrc file. Links are signed, so they stay out of every text and every file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from ..errors import DownloadFailed
from ..kling.responses import OutputKind
from ..transport import in_own_thread, proxy_for
from .head import Answer, read_head, too_large, wrong_beginning
from .kinds import KINDS, FileKind
from .link import link_problem
from .part_file import DiskError, PartFile

WHOLE_TRIES = 2  #: of a file that comes whole and does not open; the second one may
MAX_REQUESTS = 500  #: in all, progress or not; a server that hands out single bytes must come to an end
PROGRESS_EVERY = 0.25  #: seconds between two reports
CLAIM_EVERY = 0.05  #: seconds between two looks at a target that another download holds

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class DownloadPolicy:
    """How patient a download is."""

    tries: int = 5  #: in a row that get no farther; the last one that did counts as the first
    first_delay: float = 1.0  #: seconds after the first try; doubles each time
    longest_delay: float = 16.0  #: seconds
    connect_seconds: float = 15.0  #: for a connection; a CDN that is there answers in one
    stall_seconds: float = 30.0  #: without a single byte
    chunk_bytes: int = 1 << 20  #: per write; one write is one thread hop, about 0.1 ms
    max_redirects: int = 5

    def __post_init__(self) -> None:
        """Raise ValueError for a policy that could never download anything."""
        if min(self.tries, self.chunk_bytes) < 1 or self.max_redirects < 0:
            raise ValueError("tries and chunk_bytes are at least 1, max_redirects at least 0")
        if (
            min(self.connect_seconds, self.stall_seconds) <= 0
            or min(self.first_delay, self.longest_delay) < 0
        ):
            raise ValueError("timeouts are above 0 and delays not below")

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after so many failed tries in a row (1 or more)."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(failures - 1, 60))


async def download(
    session: aiohttp.ClientSession,
    url: str,
    target: Path,
    *,
    kind: OutputKind = "video",
    refresh: Callable[[], Awaitable[str]],
    opens: Callable[[Path], bool],
    api_is_loopback: bool,
    progress: Callable[[int, int | None], None] | None = None,
    policy: DownloadPolicy | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    task_id: str | None = None,
) -> Path:
    """Stream ``url`` to ``target`` and return ``target``, which then holds the whole file or did not change.

    ``refresh`` is asked for a new link when the old one answers 401, 403, 404 or 410: once, and once more
    whenever bytes have come since. ``opens`` says of a file that has come whether it opens as what it should
    be; one that does not is fetched once more. ``progress`` gets bytes so far and bytes in all (None while
    unknown). Only the connections of ``session`` are used. If another download of this process holds
    ``target``, this one waits for it and shares its file. Cancelled or failed, it leaves its part and the
    note about it behind where they can be resumed, and the next call of this process goes on from them.
    Raises DownloadFailed with ``task_id`` (and ``http_status`` where the link answered one that ended it),
    and whatever ``refresh`` raises.
    """
    policy = policy or DownloadPolicy()
    part, waited = PartFile.claim(target), False
    while part is None:
        await asyncio.sleep(CLAIM_EVERY)
        part, waited = PartFile.claim(target), True
    try:
        if waited and target.is_file():  # noqa: ASYNC240 - one stat, and only after a wait
            return target
        async with aiohttp.ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=policy.connect_seconds, sock_read=policy.stall_seconds
            ),
        ) as keyless:
            job = _Job(keyless, part, KINDS[kind], api_is_loopback, progress, policy, task_id, opens)
            await job.run(url, refresh, sleep)
        return target
    finally:
        part.let_go()


class _Job:
    """One download: tries, until the part is whole."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        part: PartFile,
        kind: FileKind,
        api_is_loopback: bool,
        progress: Callable[[int, int | None], None] | None,
        policy: DownloadPolicy,
        task_id: str | None,
        opens: Callable[[Path], bool],
    ) -> None:
        self._http = http
        self._part = part
        self._kind = kind
        self._loopback = api_is_loopback
        self._progress = progress
        self._policy = policy
        self._task_id = task_id
        self._opens = opens
        self._best = 0
        self._reported = 0.0

    async def run(
        self, url: str, refresh: Callable[[], Awaitable[str]], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Try until done; raises DownloadFailed."""
        disk: DiskError | None = None
        try:
            await in_own_thread(self._part.open)
            for _ in range(WHOLE_TRIES):
                await self._tries(url, refresh, sleep)
                if await in_own_thread(lambda: self._part.finish(self._opens)):
                    break
            else:
                raise self._failed(f"what came does not open as {self._kind.a_noun}")
        except DiskError as error:
            disk = error
        if disk is not None:
            raise self._disk_failed(disk)
        self._report(self._part.size, self._part.size, always=True)

    async def _tries(
        self, url: str, refresh: Callable[[], Awaitable[str]], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._best = self._part.size
        failures, refreshed = 0, False
        for _ in range(MAX_REQUESTS):
            answer = await self._once(url)
            if answer.kind == "complete":
                return
            if answer.kind == "refuse":
                raise self._failed(answer.reason, answer.status)
            if answer.kind == "discard":
                await in_own_thread(lambda: self._part.restart(None, None))
            if self._part.size > self._best:
                self._best, failures, refreshed = self._part.size, 0, False
            if answer.kind == "expired" and not refreshed:
                refreshed = True
                url = await refresh()
                continue
            failures += 1
            if answer.kind == "expired" or failures >= self._policy.tries:
                raise self._failed(answer.reason, answer.status)
            await sleep(self._policy.delay(failures))
        raise self._failed(f"it was not complete after {MAX_REQUESTS} requests")

    async def _once(self, url: str) -> Answer:
        """Ask once, redirects included, and keep what comes."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        offset, validator = self._part.size, self._part.validator
        if offset and validator:
            headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
        else:
            offset = 0
        reason = ""
        try:
            for _ in range(self._policy.max_redirects + 1):
                problem = link_problem(url, api_is_loopback=self._loopback)
                if problem:
                    return Answer("refuse", f"the link {problem}, so it was not followed")
                link = URL(url, encoded=True)
                async with self._http.get(
                    link, headers=headers, allow_redirects=False, proxy=await proxy_for(link)
                ) as response:
                    if response.status not in _REDIRECTS:
                        return await self._receive(response, offset)
                    url = _joined(url, response.headers.get("Location", ""))
            return Answer("refuse", f"the link was redirected more than {self._policy.max_redirects} times")
        except aiohttp.ConnectionTimeoutError:
            reason = "the server could not be reached"
        except asyncio.TimeoutError:
            reason = f"nothing came for {self._policy.stall_seconds:g} s"
        except aiohttp.ClientSSLError:
            reason = "no secure connection could be made"
        except aiohttp.ClientConnectorError:
            reason = "the server could not be reached"
        except (aiohttp.ClientError, OSError):
            reason = "the connection broke off"
        return Answer("retry", reason)

    async def _receive(self, response: aiohttp.ClientResponse, offset: int) -> Answer:
        """Write the body to the part; returns "complete", or why it is not."""
        part, kind = self._part, self._kind
        answer = read_head(
            response.status,
            response.headers,
            offset=offset,
            validator=part.validator,
            known_total=part.total,
            kind=kind,
        )
        if answer.kind not in ("begin", "go_on"):
            return answer
        piece = await response.content.readany()
        if answer.kind == "begin":
            while 0 < len(piece) < kind.signature_bytes and (more := await response.content.readany()):
                piece += more
            problem = wrong_beginning(piece, kind) if piece else None
            if problem:
                return Answer("refuse", problem)
            if part.validator and answer.validator and part.validator != answer.validator:
                self._best = 0  # another file: what the old one reached is no measure for it
            await in_own_thread(lambda: part.restart(answer.validator, answer.total))
        buffer = bytearray()
        try:
            while piece:
                buffer += piece
                come = part.size + len(buffer)
                if answer.total is not None and come > answer.total:
                    return Answer("discard", "the server sent more than it said")
                if come > kind.max_bytes:
                    await in_own_thread(lambda: part.restart(None, None))
                    return too_large(kind)
                if len(buffer) >= self._policy.chunk_bytes:
                    await self._flush(buffer)
                self._report(come, answer.total)
                piece = await response.content.readany()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            await self._flush(buffer)
            raise
        await self._flush(buffer)
        if not part.size:
            return Answer("retry", "the server sent an empty file")
        if answer.total is not None and part.size != answer.total:
            return Answer("retry", "the connection broke off")
        return Answer("complete", total=part.size)

    async def _flush(self, buffer: bytearray) -> None:
        if buffer:
            data = bytes(buffer)
            await in_own_thread(lambda: self._part.write(data))
            buffer.clear()

    def _report(self, come: int, total: int | None, *, always: bool = False) -> None:
        now = asyncio.get_running_loop().time()
        if self._progress is not None and (always or now - self._reported >= PROGRESS_EVERY):
            self._reported = now
            self._progress(come, total)

    def _failed(self, reason: str, status: int | None = None) -> DownloadFailed:
        return DownloadFailed(
            f"The {self._kind.noun} could not be downloaded: {reason}. {self._still_there()}",
            task_id=self._task_id,
            http_status=status,
        )

    def _disk_failed(self, error: DiskError) -> DownloadFailed:
        if error.full:
            problem, remedy = "the disk is full", "Free some space first."
        elif error.denied:
            problem = f"ComfyUI may not write into its folder {self._part.target.parent.name}"
            remedy = "Allow it first, or close the program that holds the file."
        else:
            problem, remedy = f"the disk refused ({error})", "Mend that first."
        return DownloadFailed(
            f"The {self._kind.noun} could not be saved: {problem}. {self._still_there()} {remedy}",
            task_id=self._task_id,
        )

    def _still_there(self) -> str:
        return (
            f"The {self._kind.noun} is made and Kling keeps it for 30 days: queue the same take again to "
            "collect it, nothing is paid again."
        )


def _joined(url: str, location: str) -> str:
    """Return the link that a redirect leads to, or nothing where it is not a link at all."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""
