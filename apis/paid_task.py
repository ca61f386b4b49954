"""One take, paid for once: prepare, submit once, wait, collect.

The invariant: every create of an attempt goes out under the same id, and its row is in the journal before the
first byte leaves. So whatever breaks, where and how often, the next run of the same take finds what was
bought instead of buying again. A cancelled or killed run needs no clean-up: the row it left says where to go
on.
"""

from __future__ import annotations

import datetime
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import errors
from .collect import Delivered, Follower, already_bought
from .journal import OPEN_STATES, Purchase, Row
from .kling import camera, dialects, rules
from .kling.price import Price, estimate
from .kling.requests import VideoRequest, canonical, seconds
from .kling.responses import KlingTask, Phase
from .lookup import NEVER_TWICE, Lookup
from .polling import backoff, obeyed_retry_after
from .slots import slot_line, take_lock
from .status import Status
from .take import external_task_id, idempotency_key, take_id
from .transport import open_session

if TYPE_CHECKING:
    from .kling.models import ModelSpec
    from .studio import Studio
    from .tasks_api import Dialect


@dataclass(frozen=True)
class _Bought:
    """A task that exists, its row, and whether this run made it exist."""

    row: Row
    task: KlingTask | None
    by_this_run: bool


class PaidTask:
    """One run of one take."""

    def __init__(
        self,
        studio: Studio,
        request: VideoRequest,
        number: int,
        files: Path,
        status: Status,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> None:
        """Check everything that can be checked without sending anything.

        Raises InvalidInput naming the widget.
        """
        self.studio = studio
        self.request = request
        self.files = files
        self.status = status
        self.prompt_id = prompt_id
        self.node_id = node_id
        self.spec, self.dialect = _checked(studio, request)
        self.lookup = Lookup(studio, request.product, self.dialect, status)
        self.sent = camera.resolve(request, studio.table, self.dialect.name).request
        self.price: Price | None = estimate(self.sent, studio.table)
        self.take = take_id(canonical(request), number)
        sound = "sound" if self.spec.makes_sound(request.sound) else "silent"
        self.kind = f"{request.product}/{self.spec.name}/{request.mode}/{seconds(request)}s/{sound}"
        # The body is built once before anything is paid: what can't be said in this dialect shows now.
        self.dialect.create(self.sent, self.spec, self._external_id(1))
        self.line = slot_line(studio.settings.account, self.spec.name)
        self.secret = ""
        self.began = studio.clock.monotonic()

    # -- the take as a whole ---------------------------------------------------------------------------

    async def run(self) -> Delivered:
        """Deliver the take: buy it if it was never bought, else go on where it stands."""
        lock = take_lock(self.studio.settings.account, self.take)
        if lock.locked():
            self.status.show("Waiting for another node that makes this very take")
        async with lock, open_session():
            bought = await self._bought()
            follower = Follower(self.studio, self.files, self.status, self.line)
            return await follower.deliver(
                bought.row,
                typical=self.spec.typical_seconds(
                    self.request.mode, seconds(self.request), self.request.sound, self.request.product
                ),
                deadline=self._remaining(),
                collected=not bought.by_this_run,
            )

    async def _bought(self) -> _Bought:
        """A row with a task id."""
        journal, account = self.studio.journal, self.studio.settings.account
        row = await journal.call(journal.find, account, self.take)
        if row is not None and row.task_id is not None and row.state != "failed":
            return _Bought(row, None, by_this_run=False)
        first = 1 if row is None else row.attempt + (1 if row.state == "failed" else 0)
        open_row = row if row is not None and row.state in OPEN_STATES else None
        for attempt in range(first, first + self.studio.policy.attempts):
            bought = await self._obtain(attempt, open_row)
            open_row = None
            if bought.by_this_run or bought.task is None or bought.task.phase is not Phase.FAILED:
                return bought
            # An earlier attempt, found at Kling and unknown to this journal, failed without a bill.
            now = self.studio.clock.time()
            await journal.call(journal.failed, bought.row.row_id, bought.task.message, now=now)
        raise errors.InvalidInput(
            f"This take has failed {self.studio.policy.attempts} times. Change the prompt or the picture, or "
            "choose another number for take.",
            widget="take",
        )

    async def _obtain(self, attempt: int, open_row: Row | None) -> _Bought:
        """The task of one attempt: found where it exists, else bought."""
        external_id = self._external_id(attempt)
        if open_row is not None:
            found = await self._settle_doubt(open_row, external_id)
            if found is not None:
                return await self._record(open_row, found, by_this_run=False, adopted=False)
        if external_id is None:
            # Before the row: a run that fails here has sent nothing, and leaves no doubt behind.
            self.secret = self.studio.idempotency_secret(resend=open_row is not None)
        purchase = self._purchase(attempt, external_id)
        try:
            row = await self._prepare(purchase, self.studio.settings.max_usd_per_day)
        except errors.SpendingLimitReached:
            # The limit is on buying. A take that another machine has bought costs nothing to collect.
            found = await self.lookup.find(external_id) if external_id else None
            if found is None:
                raise
            row = await self._prepare(purchase, None)
            return await self._record(row, found, by_this_run=False, adopted=row.sends == 1)
        if row.state not in OPEN_STATES:
            return _Bought(row, None, by_this_run=False)  # another process was faster with the same row
        if external_id is None and row.sends > 1 + (open_row.sends if open_row is not None else 0):
            # Another process has begun to send since we looked, and no lookup can tell what came of it.
            raise await self._told(row, "Another process is buying this take at this moment.")
        return await self._submit(row, external_id)

    async def _prepare(self, purchase: Purchase, limit: float | None) -> Row:
        journal, now = self.studio.journal, self.studio.clock.time()
        midnight = datetime.datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return await journal.call(
            journal.prepare, purchase, now=now, day_start=midnight.timestamp(), limit_usd=limit
        )

    async def _record(
        self, row: Row, task: KlingTask, *, by_this_run: bool, adopted: bool, dialect: Dialect | None = None
    ) -> _Bought:
        """Write down that Kling has the task, before anything else happens."""
        journal, now, name = self.studio.journal, self.studio.clock.time(), (dialect or self.dialect).name
        with already_bought(task.task_id, row.external_task_id):
            await journal.call(
                journal.submitted, row.row_id, task.task_id, now=now, dialect=name, adopted=adopted
            )
            known = await journal.call(journal.find_task, row.account, task.task_id)
        return _Bought(known or row, task, by_this_run)

    # -- one create ------------------------------------------------------------------------------------

    async def _submit(self, row: Row, external_id: str | None) -> _Bought:
        """Send the create until its outcome is known, always under the same id."""
        journal = self.studio.journal
        send = _Send(doubts=row.sends - 1)
        self.status.show(f"Sending{self._price_text()}")
        try:
            async with AsyncExitStack() as stack:
                if self.line.waiting:
                    await self._stand_in_line(stack, send)
                while True:
                    try:
                        task = await self._create(row, external_id)
                        return await self._record(row, task, by_this_run=True, adopted=False)
                    except errors.NeverDelivered as error:
                        await self._after_undelivered(send, error)
                    except errors.Paced as error:
                        await self._after_paced(send, stack, error)
                    except errors.AlreadyExists as error:
                        existing, dialect = await self.lookup.find_existing(external_id, error)
                        return await self._record(
                            row,
                            existing,
                            by_this_run=send.doubtful_now,
                            adopted=send.doubts == 0,
                            dialect=dialect,
                        )
                    except errors.RequestRefused as error:
                        made = await self.lookup.made_before(external_id, error)
                        if made is None:
                            raise
                        return await self._record(
                            row, made, by_this_run=send.doubtful_now, adopted=send.doubts == 0
                        )
                    except errors.OutcomeUnknown as error:
                        found = await self._after_unknown(send, row, external_id, error)
                        if found is not None:
                            return await self._record(row, found, by_this_run=True, adopted=False)
        except (errors.NeverDelivered, errors.Paced, errors.Refused) as error:
            if send.doubts == 0:
                # No create under this id can have been carried out, so none is left to be collected.
                await journal.call(journal.refused, row.row_id, error.message, sends=row.sends)
                never_left = isinstance(error, errors.NeverDelivered)
                error.message += f" {_NEVER_LEFT if never_left else _NOTHING_PAID}"
            else:
                error.message += f" {_EARLIER_SEND} {NEVER_TWICE if external_id else _PROXY_DOUBT}"
            raise

    async def _create(self, row: Row, external_id: str | None) -> KlingTask:
        headers = {}
        if external_id is None:
            headers["Idempotency-Key"] = idempotency_key(self.take, row.attempt, self.secret)
        return await self.studio.api.create(self.dialect, self.sent, self.spec, external_id, headers)

    async def _stand_in_line(self, stack: AsyncExitStack, send: _Send) -> None:
        self.status.show("Waiting for a free slot: your Kling account runs as many tasks as it may")
        await stack.enter_async_context(self.line.turn())
        send.in_line = True

    async def _after_undelivered(self, send: _Send, error: errors.NeverDelivered) -> None:
        send.undelivered += 1
        if send.undelivered >= self.studio.policy.connect_tries:
            raise error
        self.status.show(f"{self.studio.api.connection.host} can't be reached, trying again")
        await self.studio.clock.sleep(backoff(send.undelivered, jitter=_jitter()))

    async def _after_paced(self, send: _Send, stack: AsyncExitStack, error: errors.Paced) -> None:
        if not send.in_line:
            await self._stand_in_line(stack, send)
        send.paced += 1
        pause = obeyed_retry_after(error.retry_after, backoff(send.paced, jitter=_jitter()))
        if pause > self._remaining():
            raise errors.Paced(
                "Your Kling account had no free slot in all this time. Queue again later, or raise "
                "KLING_MAX_WAIT_MINUTES.",
                code=error.code,
                request_id=error.request_id,
            ) from None
        self.status.show("Waiting for a free slot: your Kling account runs as many tasks as it may")
        await self.line.pause(pause, self.studio.clock.sleep)

    async def _after_unknown(
        self, send: _Send, row: Row, external_id: str | None, error: errors.OutcomeUnknown
    ) -> KlingTask | None:
        """The task, where the create was carried out after all; None: Kling has none, send once more."""
        send.doubts += 1
        send.doubtful_now = True
        if external_id is None:
            raise await self._told(row, error.message, error.code) from None
        self.status.show("The reply was lost. Looking whether Kling has the task")
        for pause in self.studio.policy.lookup_delays:
            await self.studio.clock.sleep(pause)
            found = await self.lookup.find(external_id)
            if found is not None:
                return found
        if send.doubts - (row.sends - 1) >= self.studio.policy.unknown_sends or self._remaining() <= 0:
            raise errors.OutcomeUnknown(
                f"{error.message} Whether the take was accepted is not known. {NEVER_TWICE}",
                external_task_id=external_id,
                code=error.code,
                request_id=error.request_id,
            ) from None
        return None

    # -- looking up ------------------------------------------------------------------------------------

    async def _settle_doubt(self, row: Row, external_id: str | None) -> KlingTask | None:
        """The task of a create whose outcome an earlier run did not learn; None: send it (again)."""
        if external_id is not None:
            self.status.show("Looking whether an earlier run bought this take")
            return await self.lookup.find(external_id)
        if row.state == "prepared":
            raise await self._told(row, "An earlier run of this take was cut off.")
        return None

    async def _told(self, row: Row, why: str, code: int | None = None) -> errors.OutcomeUnknown:
        """The error for a doubt that can't be looked up; from here on the user is the one to send again."""
        # Shown first: a run that is cut off right after the commit must have told it all the same.
        self.status.show(f"{why} {_PROXY_DOUBT}")
        journal = self.studio.journal
        await journal.call(journal.in_doubt, row.row_id, why)
        return errors.OutcomeUnknown(f"{why} {_PROXY_DOUBT}", code=code)

    # -- small things ----------------------------------------------------------------------------------

    def _external_id(self, attempt: int) -> str | None:
        settings = self.studio.settings
        if settings.backend == "comfy_org":
            return None
        scope = settings.credential.fingerprint() if settings.shares_account else ""
        return external_task_id(self.take, attempt, scope)

    def _purchase(self, attempt: int, external_id: str | None) -> Purchase:
        return Purchase(
            account=self.studio.settings.account,
            take=self.take,
            attempt=attempt,
            external_task_id=external_id,
            practice=self.studio.practice,
            product=self.request.product,
            dialect=self.dialect.name,
            model=self.spec.name,
            kind=self.kind,
            estimated_units=self.price.units if self.price else None,
            estimated_usd=self.price.usd if self.price else None,
            prompt_id=self.prompt_id,
            node_id=self.node_id,
        )

    def _price_text(self) -> str:
        return f" · about {self.price}" if self.price else " · price not known"

    def _remaining(self) -> float:
        spent = self.studio.clock.monotonic() - self.began
        return self.studio.settings.max_wait_seconds - spent


@dataclass
class _Send:
    """How the sending of one create has gone so far."""

    #: creates under this id, of this run or earlier ones, that may have been carried out
    doubts: int
    #: whether one of them is of this run
    doubtful_now: bool = False
    undelivered: int = 0
    paced: int = 0
    in_line: bool = False


_NEVER_LEFT = "The request never left, so it is not paid."
_NOTHING_PAID = "Nothing was made and nothing is paid."
_EARLIER_SEND = "An earlier send of this take may have been carried out all the same."
_PROXY_DOUBT = (
    "Comfy.org may or may not have bought it, and there it can't be looked up: see the usage in your Comfy "
    "account. Queue the same take once more to send it under the same idempotency key, which Comfy.org "
    "should answer with the same task or a conflict. If you would rather be sure, use your own Kling key."
)


def _checked(studio: Studio, request: VideoRequest) -> tuple[ModelSpec, Dialect]:
    spec = studio.table.get(request.model_name)
    dialect: Dialect | None = None
    if spec is not None:
        try:
            dialect = dialects.choose(spec, studio.settings.credential.kind)
        except ValueError as error:
            raise errors.InvalidInput(f"model_name: {error}", widget="model_name") from None
    problems = rules.check(request, studio.table, dialect.name if dialect else None)
    if problems:
        raise errors.InvalidInput(" ".join(problem.text for problem in problems), widget=problems[0].widget)
    if spec is None or dialect is None:  # rules.check has a better sentence for this
        raise errors.InvalidInput("model_name: it is not in the model table.", widget="model_name")
    return spec, dialect


def _jitter() -> float:
    return random.random()
