"""One take, paid for once: prepare, submit once, and know what came of it.

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

from . import errors
from .context import Context
from .follower import already_bought
from .installation_secret import installation_secret
from .journal import OPEN_STATES, Purchase, Row
from .kling.dialects import Dialect
from .kling.responses import KlingTask, Phase
from .lookup import NEVER_TWICE, Lookup
from .plan import Plan
from .polling import backoff, obeyed_retry_after
from .slots import slot_queue
from .status import Status
from .take import external_task_id, idempotency_key
from .task_ref import TaskRef


@dataclass(frozen=True)
class Bought:
    """A task that exists and is paid for, or will be when it is done."""

    task: TaskRef
    #: whether this run made it exist
    by_this_run: bool


@dataclass(frozen=True)
class _Attempt:
    """The row of an attempt that has a task, what Kling said of it, and whether this run made it exist."""

    row: Row
    task: KlingTask | None
    by_this_run: bool


class PaidTask:
    """One purchase of a plan."""

    def __init__(
        self,
        context: Context,
        plan: Plan,
        status: Status,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> None:
        """Nothing is looked at or sent yet."""
        self.context = context
        self.plan = plan
        self.status = status
        self.prompt_id = prompt_id
        self.node_id = node_id
        self.lookup = Lookup(context, plan.product, plan.dialect, status)
        self.queue = slot_queue(context.settings.account, plan.model)
        self.secret = ""
        self.began = context.clock.monotonic()

    # -- the take as a whole ---------------------------------------------------------------------------

    async def buy(self) -> Bought:
        """Return the take's task: bought if it never was, else where it stands."""
        attempt = await self._attempt()
        return Bought(TaskRef.of_row(attempt.row), attempt.by_this_run)

    async def _attempt(self) -> _Attempt:
        """Return the attempt that counts, with a task id in its row."""
        journal, account = self.context.journal, self.context.settings.account
        row = await journal.call(journal.find, account, self.plan.take)
        if row is not None and row.task_id is not None and row.state != "failed":
            return _Attempt(row, None, by_this_run=False)
        first = 1 if row is None else row.attempt + (1 if row.state == "failed" else 0)
        open_row = row if row is not None and row.state in OPEN_STATES else None
        for attempt in range(first, first + self.context.policy.attempts):
            bought = await self._obtain(attempt, open_row)
            open_row = None
            if bought.by_this_run or bought.task is None or bought.task.phase is not Phase.FAILED:
                return bought
            # An earlier attempt, found at Kling and unknown to this journal, failed without a bill.
            now = self.context.clock.time()
            await journal.call(journal.failed, bought.row.row_id, bought.task.message, now=now)
        raise errors.InvalidInput(
            f"This take has failed {self.context.policy.attempts} times. Change the prompt or the picture, "
            "or choose another number for take.",
            widget="take",
        )

    async def _obtain(self, attempt: int, open_row: Row | None) -> _Attempt:
        """Return the task of one attempt: found where it exists, else bought."""
        external_id = self._external_id(attempt)
        if open_row is not None:
            found = await self._settle_doubt(open_row, external_id)
            if found is not None:
                return await self._record(open_row, found, by_this_run=False, adopted=False)
        if external_id is None:
            # Before the row: a run that fails here has sent nothing, and leaves no doubt behind.
            self.secret = installation_secret(self.context.journal.path.parent, resend=open_row is not None)
        purchase = self._purchase(attempt, external_id)
        try:
            row = await self._prepare(purchase, self.context.settings.max_usd_per_day)
        except errors.SpendingLimitReached:
            # The limit is on buying. A take that another machine has bought costs nothing to collect.
            found = await self.lookup.find(external_id) if external_id else None
            if found is None:
                raise
            row = await self._prepare(purchase, None)
            return await self._record(row, found, by_this_run=False, adopted=row.sends == 1)
        if row.state not in OPEN_STATES:
            return _Attempt(row, None, by_this_run=False)  # another process was faster with the same row
        if external_id is None and row.sends > 1 + (open_row.sends if open_row is not None else 0):
            # Another process has begun to send since we looked, and no lookup can tell what came of it.
            raise await self._in_doubt(row, "Another process is buying this take at this moment.")
        return await self._submit(row, external_id)

    async def _prepare(self, purchase: Purchase, limit: float | None) -> Row:
        journal, now = self.context.journal, self.context.clock.time()
        midnight = datetime.datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return await journal.call(
            journal.prepare, purchase, now=now, day_start=midnight.timestamp(), limit_usd=limit
        )

    async def _record(
        self, row: Row, task: KlingTask, *, by_this_run: bool, adopted: bool, dialect: Dialect | None = None
    ) -> _Attempt:
        """Write down that Kling has the task, before anything else happens."""
        journal, now, name = (
            self.context.journal,
            self.context.clock.time(),
            (dialect or self.plan.dialect).name,
        )
        with already_bought(task.task_id, row.external_task_id):
            await journal.call(
                journal.submitted, row.row_id, task.task_id, now=now, dialect=name, adopted=adopted
            )
            known = await journal.call(journal.find_task, row.account, task.task_id)
        return _Attempt(known or row, task, by_this_run)

    # -- one create ------------------------------------------------------------------------------------

    async def _submit(self, row: Row, external_id: str | None) -> _Attempt:
        """Send the create until its outcome is known, always under the same id."""
        journal = self.context.journal
        send = _Send(doubts=row.sends - 1)
        self.status.show(f"Sending{self._price_text()}")
        try:
            async with AsyncExitStack() as stack:
                if self.queue.waiting:
                    await self._wait_turn(stack, send)
                while True:
                    try:
                        task = await self._create(row, external_id)
                        return await self._record(row, task, by_this_run=True, adopted=False)
                    except errors.NeverDelivered as error:
                        await self._after_undelivered(send, error)
                    except errors.Throttled as error:
                        await self._after_throttled(send, stack, error)
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
        except (errors.NeverDelivered, errors.Throttled, errors.Refused) as error:
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
            headers["Idempotency-Key"] = idempotency_key(self.plan.take, row.attempt, self.secret)
        return await self.context.api.create(self.plan, external_id, headers)

    async def _wait_turn(self, stack: AsyncExitStack, send: _Send) -> None:
        self.status.show("Waiting for a free slot: your Kling account runs as many tasks as it may")
        await stack.enter_async_context(self.queue.turn())
        send.has_turn = True

    async def _after_undelivered(self, send: _Send, error: errors.NeverDelivered) -> None:
        send.undelivered += 1
        if send.undelivered >= self.context.policy.connect_tries:
            raise error
        self.status.show(f"{self.context.api.connection.host} can't be reached, trying again")
        await self.context.clock.sleep(backoff(send.undelivered, jitter=_jitter()))

    async def _after_throttled(self, send: _Send, stack: AsyncExitStack, error: errors.Throttled) -> None:
        if not send.has_turn:
            await self._wait_turn(stack, send)
        send.throttled += 1
        pause = obeyed_retry_after(error.retry_after, backoff(send.throttled, jitter=_jitter()))
        if pause > self._remaining():
            raise errors.Throttled(
                "Your Kling account had no free slot in all this time. Queue again later, or raise "
                "KLING_MAX_WAIT_MINUTES.",
                code=error.code,
                request_id=error.request_id,
            ) from None
        self.status.show("Waiting for a free slot: your Kling account runs as many tasks as it may")
        await self.queue.pause(pause, self.context.clock.sleep)

    async def _after_unknown(
        self, send: _Send, row: Row, external_id: str | None, error: errors.OutcomeUnknown
    ) -> KlingTask | None:
        """Return the task, where the create was carried out after all; None: send it once more."""
        send.doubts += 1
        send.doubtful_now = True
        if external_id is None:
            raise await self._in_doubt(row, error.message, error.code) from None
        self.status.show("The reply was lost. Looking whether Kling has the task")
        for pause in self.context.policy.lookup_delays:
            await self.context.clock.sleep(pause)
            found = await self.lookup.find(external_id)
            if found is not None:
                return found
        if send.doubts - (row.sends - 1) >= self.context.policy.unknown_sends or self._remaining() <= 0:
            raise errors.OutcomeUnknown(
                f"{error.message} Whether the take was accepted is not known. {NEVER_TWICE}",
                external_task_id=external_id,
                code=error.code,
                request_id=error.request_id,
            ) from None
        return None

    # -- looking up ------------------------------------------------------------------------------------

    async def _settle_doubt(self, row: Row, external_id: str | None) -> KlingTask | None:
        """Return the task of a create whose outcome an earlier run did not learn; None: send it (again)."""
        if external_id is not None:
            self.status.show("Looking whether an earlier run bought this take")
            return await self.lookup.find(external_id)
        if row.state == "prepared":
            raise await self._in_doubt(row, "An earlier run of this take was cut off.")
        return None

    async def _in_doubt(self, row: Row, why: str, code: int | None = None) -> errors.OutcomeUnknown:
        """Return the error for a doubt that can't be looked up: from here on only the user sends again."""
        # Shown first: a run that is cut off right after the commit must have told it all the same.
        self.status.show(f"{why} {_PROXY_DOUBT}")
        journal = self.context.journal
        await journal.call(journal.in_doubt, row.row_id, why)
        return errors.OutcomeUnknown(f"{why} {_PROXY_DOUBT}", code=code)

    # -- small things ----------------------------------------------------------------------------------

    def _external_id(self, attempt: int) -> str | None:
        settings = self.context.settings
        if settings.backend == "comfy_org":
            return None
        scope = settings.credential.fingerprint() if settings.shares_account else ""
        return external_task_id(self.plan.take, attempt, scope)

    def _purchase(self, attempt: int, external_id: str | None) -> Purchase:
        return Purchase(
            account=self.context.settings.account,
            take=self.plan.take,
            attempt=attempt,
            external_task_id=external_id,
            practice=self.context.simulated,
            product=self.plan.product,
            dialect=self.plan.dialect.name,
            model=self.plan.model,
            kind=self.plan.timing_key,
            estimated_units=self.plan.price.units if self.plan.price else None,
            estimated_usd=self.plan.price.usd if self.plan.price else None,
            prompt_id=self.prompt_id,
            node_id=self.node_id,
        )

    def _price_text(self) -> str:
        return f" · about {self.plan.price}" if self.plan.price else " · price not known"

    def _remaining(self) -> float:
        spent = self.context.clock.monotonic() - self.began
        return self.context.settings.max_wait_seconds - spent


@dataclass
class _Send:
    """How the sending of one create has gone so far."""

    #: creates under this id, of this run or earlier ones, that may have been carried out
    doubts: int
    #: whether one of them is of this run
    doubtful_now: bool = False
    undelivered: int = 0
    throttled: int = 0
    has_turn: bool = False


_NEVER_LEFT = "The request never left, so it is not paid."
_NOTHING_PAID = "Nothing was made and nothing is paid."
_EARLIER_SEND = "An earlier send of this take may have been carried out all the same."
_PROXY_DOUBT = (
    "Comfy.org may or may not have bought it, and there it can't be looked up: see the usage in your Comfy "
    "account. Queue the same take once more to send it under the same idempotency key, which Comfy.org "
    "should answer with the same task or a conflict. If you would rather be sure, use your own Kling key."
)


def _jitter() -> float:
    return random.random()
