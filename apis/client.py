"""One exchange with the API, and asking again until a task ends.

``SynchronousOperation`` sends one request exactly once: whether it may go out again is decided by whoever
knows what it costs. ``PollingOperation`` only reads, so it may repeat itself as often as it likes.
The key goes to the API's origin and nowhere else: no redirect is followed.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError
from yarl import URL

from . import errors
from .answer import body_shown, envelope_of, parse_json, retry_after_of
from .clock import Clock, RealClock
from .kling.endpoint import ApiEndpoint, Req, Resp
from .outcomes import error_of_answer, error_of_exception, is_passing
from .polling import Schedule, backoff, obeyed_retry_after
from .redaction import Redactor
from .transport import in_own_thread, open_session, proxy_for

T = TypeVar("T")

#: bytes; an answer of the API is a few kB, so more than this is not one
ANSWER_LIMIT = 8 * 1024 * 1024
#: bytes; reading more than this would hold up everybody else in the loop
LARGE_ANSWER = 128 * 1024

#: seconds after its submission in which a task may not be visible yet
NEWBORN = 60.0
#: seconds for which a word for an end that we don't know must stand before it is believed
END_PATIENCE = 150.0
#: reads in a row that something on the way may refuse before it is believed
REFUSED_READS = 5


class Signs(Protocol):
    """What a credential can do for a request."""

    def headers(self, now: float) -> Mapping[str, str]:
        """Return the headers that prove who asks, at Unix time ``now``."""

    def secrets(self) -> Collection[str]:
        """Return every text that must not be seen anywhere else."""


class Renews(Protocol):
    """Keeps a sign-in that ends good."""

    async def before(self) -> str:
        """Renew it, where it ends soon; returns the one that is in use now."""

    async def after_refusal(self, used: str) -> bool:
        """Renew it because the server refused the one that was used; returns whether there is a new one."""


@dataclass(frozen=True)
class Timeouts:
    """How long one exchange may take, in seconds."""

    connect: float = 15.0
    read: float = 60.0
    #: for a whole create: aiohttp has no limit of its own for a write that stalls
    whole: float = 300.0


@dataclass(frozen=True)
class Connection:
    """Where the API is, who asks and how long an exchange may take."""

    base_url: str
    credential: Signs
    clock: Clock = field(default_factory=RealClock)
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: Comfy.org stands between us and Kling
    by_comfy_org: bool = False
    renewal: Renews | None = None
    #: what every answer passes; it knows each secret that has been sent
    redactor: Redactor = field(default_factory=Redactor, compare=False)

    @property
    def host(self) -> str:
        """The host's name, for messages."""
        return urlsplit(self.base_url).netloc


class SynchronousOperation(Generic[Req, Resp]):
    """One request and its answer.

    ``headers`` go out beside the credential's. ``execute`` never repeats itself.
    """

    def __init__(
        self,
        endpoint: ApiEndpoint[Req, Resp],
        request: Req | None,
        connection: Connection,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Check that the request is one that this endpoint takes."""
        if endpoint.request_model is not None and not isinstance(request, endpoint.request_model):
            raise TypeError(f"{endpoint.path} takes a {endpoint.request_model.__name__}")
        self.endpoint = endpoint
        self.request = request
        self.connection = connection
        self.extra_headers = dict(headers or {})

    async def execute(self) -> Resp:
        """Send once and read the answer.

        A sign-in at Comfy.org that has ended is renewed, and the refused request, which made nothing, goes
        out again. Raises NeverDelivered, Refused (or a subclass), Throttled or OutcomeUnknown; an
        interrupted send is ``CancelledError`` and its outcome unknown.
        """
        outcome = await self._outcome()
        if isinstance(outcome, errors.ApiError):
            # Raised here and nowhere deeper: there the exceptions and variables at hand hold the key and the
            # raw answer, and would hang on the error as its context and as the frames of its traceback.
            raise outcome
        return outcome

    async def _outcome(self) -> Resp | errors.ApiError:
        """Return the answer, or the error that it came to, with a sign-in that is good for it."""
        renewal = self.connection.renewal
        if renewal is None:
            return await self._once()
        used = await renewal.before()
        outcome = await self._once()
        if isinstance(outcome, errors.AuthenticationFailed) and await renewal.after_refusal(used):
            return await self._once()
        return outcome

    async def _once(self) -> Resp | errors.ApiError:
        """Send once; return the answer, or the error that it came to."""
        connection = self.connection
        body = None
        if self.request is not None:
            body = self.request.model_dump_json(exclude_none=True, by_alias=True).encode()
        headers = {**connection.credential.headers(connection.clock.time()), **self.extra_headers}
        connection.redactor.learn(connection.credential.secrets())
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            status, raw, answer_headers = await within(
                connection.timeouts.whole, self._exchange(headers, body)
            )
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            return error_of_exception(error, connection.host)
        if len(raw) > LARGE_ANSWER:
            return await in_own_thread(lambda: self._read(status, raw, answer_headers))
        return self._read(status, raw, answer_headers)

    async def _exchange(
        self, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        timeouts = self.connection.timeouts
        async with (
            open_session() as session,
            session.request(
                self.endpoint.method.value,
                self.connection.base_url + self.endpoint.path,
                params=dict(self.endpoint.query) or None,
                # A stream: aiohttp warns of bytes over 1 MiB, and two pictures are more.
                data=None if body is None else io.BytesIO(body),
                headers=headers,
                proxy=await proxy_for(URL(self.connection.base_url)),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=timeouts.connect, sock_read=timeouts.read
                ),
            ) as answer,
        ):
            chunks, size = [], 0
            async for chunk in answer.content.iter_any():
                size += len(chunk)
                if size > ANSWER_LIMIT:
                    break
                chunks.append(chunk)
            return answer.status, b"".join(chunks), answer.headers

    def _read(self, status: int, raw: bytes, headers: Mapping[str, str]) -> Resp | errors.ApiError:
        connection = self.connection
        payload = parse_json(raw, connection.redactor)
        envelope = envelope_of(payload)
        error = error_of_answer(
            status,
            envelope.code,
            envelope.message,
            request_id=envelope.request_id,
            retry_after=retry_after_of(headers, connection.clock.time()),
            kind=envelope.kind,
            by_comfy_org=connection.by_comfy_org,
        )
        if error is None:
            try:
                return self.endpoint.response_model.model_validate(payload)
            except ValidationError:
                error = errors.OutcomeUnknown(
                    f"{connection.host} answered in a form that this version does not know.",
                    request_id=envelope.request_id,
                    http_status=status,
                )
        error.body = body_shown(raw, connection.redactor)
        return error


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; raises asyncio.TimeoutError after ``seconds``.

    ``asyncio.wait_for`` loses a cancel that comes together with the result (before Python 3.12), and a run
    whose cancel is lost goes on against the user's will.
    """
    job = asyncio.ensure_future(work)
    try:
        await asyncio.wait({job}, timeout=seconds)
        if not job.done():
            raise asyncio.TimeoutError
        return job.result()
    finally:
        if not job.done():
            job.cancel()
            await asyncio.wait({job})
        if not job.cancelled():
            job.exception()  # looked at, so that asyncio does not report it as forgotten


def _is_passing(error: errors.ApiError, failures: int, age: float) -> bool:
    """Whether a read that failed for the n-th time in a row is worth repeating; ``age`` of the task in s."""
    if isinstance(error, errors.NotFound):
        return age < NEWBORN
    if isinstance(error, errors.Refused) and failures >= REFUSED_READS:
        return False
    return is_passing(error)


class PollingOperation(Generic[Resp]):
    """Ask until a task has ended.

    ``status_extractor`` gives an answer's status. A status in ``completed_statuses`` ends the asking, one in
    ``failed_statuses`` raises TaskFailed, one in ``ended_statuses`` raises TaskEnded when it has stood for
    some minutes; any other means not finished yet, and none at all is an error.
    """

    def __init__(
        self,
        endpoint: ApiEndpoint[Any, Resp],
        connection: Connection,
        *,
        completed_statuses: Collection[str],
        failed_statuses: Collection[str],
        ended_statuses: Collection[str] = (),
        status_extractor: Callable[[Resp], str | None],
        schedule: Schedule,
        elapsed: float = 0.0,
        deadline: float | None = None,
        failure_extractor: Callable[[Resp], str] = lambda _reply: "",
        on_answer: Callable[[Resp], None] | None = None,
        on_trouble: Callable[[errors.ApiError], None] | None = None,
        task_id: str | None = None,
    ) -> None:
        """``elapsed``: seconds since the submission; ``deadline``: seconds to wait from now at most."""
        self.endpoint = endpoint
        self.connection = connection
        self.completed = {status.lower() for status in completed_statuses}
        self.failed = {status.lower() for status in failed_statuses}
        self.ended = {status.lower() for status in ended_statuses}
        self.status_extractor = status_extractor
        self.failure_extractor = failure_extractor
        self.schedule = schedule
        self.elapsed = elapsed
        self.deadline = deadline
        self.on_answer = on_answer
        self.on_trouble = on_trouble
        self.task_id = task_id

    async def execute(self) -> Resp:
        """The answer that says the task is complete.

        Reads that fail in passing (no network, 5xx, too many requests) are repeated until the deadline. A
        task that Kling does not show yet is asked for again for NEWBORN seconds. A refusal without a code of
        Kling's comes from something on the way, and is believed after REFUSED_READS in a row.
        Raises TaskFailed, TaskEnded, StillRunning at the deadline, NotFound, AuthenticationFailed and other
        refusals.
        """
        clock = self.connection.clock
        begun = clock.monotonic()
        failures = 0
        ended_at: float | None = None
        word = ""
        while True:
            asked = 0.0
            try:
                reply = await SynchronousOperation(self.endpoint, None, self.connection).execute()
                status = self.status_extractor(reply)
            except errors.ApiError as error:
                failures += 1
                age = self.elapsed + clock.monotonic() - begun
                if not _is_passing(error, failures, age):
                    raise
                asked = backoff(failures, jitter=random.random())
                if isinstance(error, errors.Throttled):
                    asked = obeyed_retry_after(error.retry_after, asked)
                if self.on_trouble is not None:
                    self.on_trouble(error)
            else:
                failures = 0
                if status is None:
                    raise errors.ApiError("Kling answered without the task's status.", task_id=self.task_id)
                if self.on_answer is not None:
                    self.on_answer(reply)
                word, status = status.strip(), status.strip().lower()
                if status in self.completed:
                    return reply
                if status in self.failed:
                    raise errors.TaskFailed(self.failure_extractor(reply), task_id=self.task_id)
                now = clock.monotonic()
                ended_at = None if status not in self.ended else now if ended_at is None else ended_at
                if ended_at is not None and now - ended_at >= END_PATIENCE:
                    raise errors.TaskEnded(word, task_id=self.task_id)
            waited = clock.monotonic() - begun
            pause = max(asked, self.schedule.delay(self.elapsed + waited)) if not failures else asked
            if self.deadline is not None and waited + pause > self.deadline:
                if ended_at is not None:
                    raise errors.TaskEnded(word, task_id=self.task_id)
                raise errors.StillRunning(
                    f"Kling has not finished within {round(self.deadline / 60, 2):g} min of waiting. The "
                    "task goes on there and is paid when it is done: queue the same take again to collect "
                    "it, nothing is paid twice. KLING_MAX_WAIT_MINUTES sets how long to wait.",
                    task_id=self.task_id,
                )
            await clock.sleep(pause)
