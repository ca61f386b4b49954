"""One take, paid for once: prepare, submit once, and know what came of it.

The invariant: every create of an attempt goes out under the same id, and its row is in the journal before the
first byte leaves. So whatever breaks, where and how often, the next run of the same take finds what was
bought instead of buying again. A cancelled or killed run needs no clean-up: the row it left says where to go
on.
"""

from __future__ import annotations

import asyncio
import datetime
import random
from dataclasses import dataclass

from . import errors, purchase_words
from .context import Context
from .endings import billed_failure
from .follower import already_bought
from .installation_secret import installation_secret
from .journal import OPEN_STATES, Purchase, Row
from .kling.dialects import Dialect
from .kling.responses import KlingTask, Phase
from .lookup import NEVER_TWICE, Lookup
from .outcomes import NO_FREE_SLOT
from .payer import bought_elsewhere
from .plan import Plan
from .polling import RETRY_AFTER_CEILING, backoff
from .slots import Place, Slot, SlotQueue
from .status import Status
from .take import external_task_id, idempotency_key
from .task_ref import TaskRef


@dataclass(frozen=True)
class Bought:
    """A task that exists and is paid for, or will be when it is done."""

    task: TaskRef
    #: whether this run made it exist
    by_this_run: bool
    #: the slot that it holds, where this run made it
    slot: Slot | None = None


@dataclass(frozen=True)
class _Attempt:
    """The row of an attempt that has a task, what Kling said of it, and whether this run made it exist."""

    row: Row
    task: KlingTask | None
    by_this_run: bool


class PaidTask:
    """One purchase of a plan, at a place in the line of creates."""

    def __init__(
        self,
        context: Context,
        plan: Plan,
        status: Status,
        queue: SlotQueue,
        place: Place,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> None:
        """Begin; nothing is looked at or sent yet."""
        self.context = context
        self.plan = plan
        self.status = status
        self.queue = queue
        self.place = place
        self.prompt_id = prompt_id
        self.node_id = node_id
        self.lookup = Lookup(context, plan.product, plan.dialect, status)
        self.payer = context.settings.credential.fingerprint()
        self.take = plan.take
        self.secret = ""
        self.slot: Slot | None = None

    # -- the take as a whole ---------------------------------------------------------------------------

    async def buy(self) -> Bought:
        """Return the take's task: bought if it never was, else where it stands.

        Raises TaskFailed for a task that failed and was billed all the same, BoughtElsewhere,
        SpendingLimitReached, and what an exchange can raise.
        """
        row = await self._latest()
        if row is not None and row.is_billed_failure:
            raise billed_failure(row.failure or "", row.deduction, row.task_id, row.external_task_id)
        if row is not None and row.task_id is not None and row.state != "failed":
            return Bought(await self._of_this_key(row), by_this_run=False)
        attempt = await self._attempt(row)
        return Bought(TaskRef.of_row(attempt.row), attempt.by_this_run, self.slot)

    async def _latest(self) -> Row | None:
        """Return the row of the latest attempt, under whichever name the take was bought."""
        journal, account = self.context.journal, self.context.settings.account
        row = await journal.call(journal.find, account, self.plan.take)
        for former in self.plan.former_takes:
            if row is None and (row := await journal.call(journal.find, account, former)) is not None:
                self.take = former
        return row

    async def _of_this_key(self, row: Row) -> TaskRef:
        """Return the task of a row; where another key wrote it, the one that this key has under our id.

        Two keys of one region may be of two accounts, and both may have bought the take. What the other one
        bought is a stranger's to this account.
        """
        task = TaskRef.of_row(row)
        if row.payer == self.payer or row.external_task_id is None:
            return task
        try:
            own = await self.lookup.find(row.external_task_id)
        except errors.OutcomeUnknown:
            return task  # nothing is bought either way, and what is here can still be handed out
        if own is None or own.task_id == row.task_id:
            return task
        return TaskRef.of_task(own, self.plan.product, self.plan.dialect.name)

    async def _attempt(self, row: Row | None) -> _Attempt:
        """Return the attempt that counts, with a task id in its row."""
        journal = self.context.journal
        first = 1 if row is None else row.attempt + (1 if row.state == "failed" else 0)
        open_row = row if row is not None and row.state in OPEN_STATES else None
        for attempt in range(first, first + self.context.policy.attempts):
            bought = await self._obtain(attempt, open_row)
            open_row = None
            if bought.by_this_run or bought.task is None or bought.task.phase is not Phase.FAILED:
                return bought
            # An earlier attempt, found at Kling and unknown to this journal, has failed.
            await journal.call(
                journal.failed,
                bought.row.row_id,
                bought.task.message,
                now=self.context.clock.time(),
                deduction=bought.task.deduction,
                spent_usd=bought.task.deduction.usd(self.context.table.usd_per_unit),
            )
            if bought.task.deduction:
                task, row_ = bought.task, bought.row
                raise billed_failure(task.message, task.deduction, task.task_id, row_.external_task_id)
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
        # Before the row: a run that fails or is cancelled here has sent nothing, and leaves no doubt behind.
        if external_id is None:
            self.secret = installation_secret(self.context.journal.path.parent, resend=open_row is not None)
        await self._turn()
        purchase = self._purchase(attempt, external_id)
        try:
            row = await self._prepare(purchase, self.context.settings.max_usd_per_day)
        except (errors.SpendingLimitReached, errors.BoughtElsewhere) as refusal:
            # Both are about buying. A take that another machine has bought here costs nothing to collect.
            found = await self.lookup.find(external_id) if external_id else None
            if found is None:
                raise await self._explained(refusal) from None
            row = await self._prepare(purchase, None, found=True)
            return await self._record(row, found, by_this_run=False, adopted=row.sends == 1)
        if row.state not in OPEN_STATES:
            return _Attempt(row, None, by_this_run=False)  # another process was faster with the same row
        if external_id is None and row.sends > 1 + (open_row.sends if open_row is not None else 0):
            # Another process has begun to send since we looked, and no lookup can tell what came of it.
            raise await self._in_doubt(row, "Another process is buying this take at this moment.")
        return await self._submit(row, external_id)

    async def _explained(
        self, refusal: errors.SpendingLimitReached | errors.BoughtElsewhere
    ) -> errors.KlingTakesError:
        """Return a refusal with both accounts in words, where it is about them."""
        journal, settings = self.context.journal, self.context.settings
        if isinstance(refusal, errors.BoughtElsewhere):
            other = await journal.call(journal.find_elsewhere, settings.account, self.take)
            if other is not None:
                return bought_elsewhere(other, settings.account)
        return refusal

    async def _prepare(self, purchase: Purchase, limit: float | None, *, found: bool = False) -> Row:
        journal, now = self.context.journal, self.context.clock.time()
        midnight = datetime.datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return await journal.call(
            journal.prepare,
            purchase,
            now=now,
            day_start=midnight.timestamp(),
            limit_usd=limit,
            found=found,
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
                journal.submitted,
                row.row_id,
                task.task_id,
                now=now,
                dialect=name,
                adopted=adopted,
                payer=self.payer,
            )
            known = await journal.call(journal.find_task, row.account, task.task_id)
        return _Attempt(known or row, task, by_this_run)

    # -- one create ------------------------------------------------------------------------------------

    async def _submit(self, row: Row, external_id: str | None) -> _Attempt:
        """Send the create until its outcome is known, always under the same id."""
        journal = self.context.journal
        send = _Send(doubts=row.sends - 1, waited_since=self.context.clock.monotonic())
        self.status.show(f"Sending{self._price_text()}")
        try:
            while True:
                try:
                    send.under_way = True
                    task = await self._create(row, external_id)
                    self.slot = Slot(self.queue)
                    return await self._record(row, task, by_this_run=True, adopted=False)
                except errors.NeverDelivered as error:
                    send.under_way = False
                    await self._after_undelivered(send, error)
                except errors.Throttled as error:
                    send.under_way = False
                    await self._after_throttled(send, error)
                except errors.AlreadyExists as error:
                    return await self._existing(send, row, external_id, error)
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
            if isinstance(error, errors.AlreadyExists):
                raise  # it was bought, or is under way: not ours to call refused
            if send.doubts == 0:
                # No create under this id can have been carried out, so none is left to be collected.
                await journal.call(journal.refused, row.row_id, error.message, sends=row.sends)
                never_left = isinstance(error, errors.NeverDelivered)
                error.message += (
                    f" {purchase_words.NEVER_LEFT if never_left else purchase_words.NOTHING_PAID}"
                )
            else:
                error.message += f" {purchase_words.EARLIER_SEND} {NEVER_TWICE if external_id else purchase_words.PROXY_DOUBT}"
            raise
        except asyncio.CancelledError:
            if send.doubts == 0 and not send.under_way:
                # Cancelled between two tries of which the first made nothing: there is nothing to be in doubt of.
                await journal.call(journal.refused, row.row_id, "cancelled before a create", sends=row.sends)
            raise
        finally:
            self.place.leave()

    async def _create(self, row: Row, external_id: str | None) -> KlingTask:
        headers = {}
        if external_id is None:
            headers["Idempotency-Key"] = idempotency_key(self.take, row.attempt, self.secret)
        return await self.context.api.create(self.plan, external_id, headers)

    async def _turn(self, *, refusals: int = 0, asked: float = 0.0) -> None:
        if refusals or self.queue.is_full:
            self.status.show(purchase_words.WAITING)
        await self.place.turn(self.context.clock.sleep, refusals=refusals, asked=asked)

    async def _after_undelivered(self, send: _Send, error: errors.NeverDelivered) -> None:
        send.undelivered += 1
        if send.undelivered >= self.context.policy.connect_tries:
            raise error
        self.status.show(f"{self.context.api.connection.host} can't be reached, trying again")
        await self.context.clock.sleep(backoff(send.undelivered, jitter=_jitter()))

    async def _after_throttled(self, send: _Send, error: errors.Throttled) -> None:
        """Wait for a slot, for as long as tasks of ours run; else for as long as the user said."""
        send.throttled += 1
        now = self.context.clock.monotonic()
        if error.code == NO_FREE_SLOT:
            self.queue.refused()
        if self.queue.running:
            send.waited_since = now
        asked = min(error.retry_after or 0.0, RETRY_AFTER_CEILING)
        pause = max(asked, self.queue.patience(send.throttled))
        if now - send.waited_since + pause > self.context.settings.max_wait_seconds:
            raise errors.Throttled(
                "Your Kling account had no free slot in all this time. Queue again later, or raise "
                "KLING_MAX_WAIT_MINUTES.",
                code=error.code,
                request_id=error.request_id,
            ) from None
        await self._turn(refusals=send.throttled, asked=asked)

    async def _existing(
        self, send: _Send, row: Row, external_id: str | None, error: errors.AlreadyExists
    ) -> _Attempt:
        """Return the task that Kling says exists; raises OutcomeUnknown where it does not show it."""
        journal = self.context.journal
        if external_id is None:
            await journal.call(journal.in_doubt, row.row_id, error.message)
            raise errors.AlreadyExists(
                purchase_words.CONFLICT, code=error.code, request_id=error.request_id
            ) from None
        self.place.leave()
        try:
            existing, dialect = await self.lookup.find_existing(external_id)
        except errors.OutcomeUnknown as unseen:
            if send.doubts == 0:
                await journal.call(journal.not_shown, row.row_id)
                if row.unseen:
                    unseen.message = purchase_words.FORGOTTEN
            raise
        return await self._record(
            row, existing, by_this_run=send.doubtful_now, adopted=send.doubts == 0, dialect=dialect
        )

    async def _after_unknown(
        self, send: _Send, row: Row, external_id: str | None, error: errors.OutcomeUnknown
    ) -> KlingTask | None:
        """Return the task, where the create was carried out after all; None: send it once more."""
        send.doubts += 1
        send.doubtful_now = True
        if external_id is None:
            raise await self._in_doubt(row, error.message, error.code) from None
        # The others need not wait while we look; coming back, we are first again.
        self.place.leave()
        self.status.show("The reply was lost. Looking whether Kling has the task")
        for pause in self.context.policy.lookup_delays:
            await self.context.clock.sleep(pause)
            found = await self.lookup.find(external_id)
            if found is not None:
                return found
        if send.doubts - (row.sends - 1) >= self.context.policy.unknown_sends:
            raise errors.OutcomeUnknown(
                f"{error.message} Whether the take was accepted is not known. {NEVER_TWICE}",
                external_task_id=external_id,
                code=error.code,
                request_id=error.request_id,
            ) from None
        await self._turn()
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
        self.status.show(f"{why} {purchase_words.PROXY_DOUBT}")
        journal = self.context.journal
        await journal.call(journal.in_doubt, row.row_id, why)
        return errors.OutcomeUnknown(f"{why} {purchase_words.PROXY_DOUBT}", code=code)

    # -- small things ----------------------------------------------------------------------------------

    def _external_id(self, attempt: int) -> str | None:
        settings = self.context.settings
        if settings.backend == "comfy_org":
            return None
        scope = settings.credential.fingerprint() if settings.shares_account else ""
        return external_task_id(self.take, attempt, scope)

    def _purchase(self, attempt: int, external_id: str | None) -> Purchase:
        return Purchase(
            account=self.context.settings.account,
            take=self.take,
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
            payer=self.payer,
        )

    def _price_text(self) -> str:
        return f" · about {self.plan.price}" if self.plan.price else " · price not known"


@dataclass
class _Send:
    """How the sending of one create has gone so far."""

    #: creates under this id, of this run or earlier ones, that may have been carried out
    doubts: int
    #: when we began to wait for a slot while nothing of ours ran; monotonic seconds
    waited_since: float
    #: whether one of them is of this run
    doubtful_now: bool = False
    #: whether a create is on its way whose outcome nobody knows yet
    under_way: bool = False
    undelivered: int = 0
    throttled: int = 0


def _jitter() -> float:
    return random.random()
