"""One create, sent until its outcome is known, and always under the same id.

The invariant: a create that may have been carried out goes out again only after Kling has said that it has no
task under the id. Where nothing can be looked up, it does not go out again in the same run at all.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from . import errors, purchase_words
from .context import Context
from .journal import Row
from .kling.dialects import Dialect
from .kling.responses import KlingTask
from .lookup import NEVER_TWICE, Lookup
from .outcomes import NO_FREE_SLOT
from .plan import Plan
from .polling import backoff, obeyed_retry_after
from .slots import Pause, Place
from .status import Status


@dataclass(frozen=True)
class Sent:
    """The task that a create came to."""

    task: KlingTask
    #: the dialect that finds it
    dialect: Dialect
    #: whether a create of this run made it exist
    by_this_run: bool
    #: whether somebody else's create under the same id did
    adopted: bool = False


class Sending:
    """The sending of one row's create; it has the turn in the line when it begins."""

    def __init__(
        self,
        context: Context,
        plan: Plan,
        status: Status,
        place: Place,
        lookup: Lookup,
        row: Row,
        idempotency_key: str | None,
    ) -> None:
        """Begin; without our own id the create goes out under ``idempotency_key``."""
        self._context = context
        self._plan = plan
        self._status = status
        self._place = place
        self._lookup = lookup
        self._row = row
        self._id = row.external_task_id
        self._headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        #: creates under this id, of this run or earlier ones, that may have been carried out
        self._doubts = row.sends - 1
        #: whether one of them is of this run
        self._doubtful_now = False
        #: whether a create is on its way whose outcome nobody knows yet
        self._under_way = False
        self._undelivered = 0
        self._too_fast = 0
        #: when we began to wait for a slot while nothing of ours ran
        self._waited_since = context.clock.monotonic()

    async def send(self) -> Sent:
        """Return the task, once Kling has it.

        Raises NeverDelivered, Throttled, Refused (or a subclass) and OutcomeUnknown where it stays open. Each
        says what it means for money, and the journal has it too.
        """
        price = self._plan.price
        self._status.show(f"Sending · about {price}" if price else "Sending · price not known")
        try:
            return await self._until_known()
        except errors.AlreadyExists:
            raise  # it was bought, or is under way: not ours to call refused
        except (errors.NeverDelivered, errors.Throttled, errors.Refused) as error:
            if self._doubts == 0:
                # No create under this id can have been carried out, so none is left to be collected.
                await self._nothing_made(error.message)
                never_left = isinstance(error, errors.NeverDelivered)
                error.message += (
                    f" {purchase_words.NEVER_LEFT if never_left else purchase_words.NOTHING_PAID}"
                )
            else:
                then = NEVER_TWICE if self._id else purchase_words.PROXY_DOUBT
                reason = error.message
                error.message += f" {purchase_words.EARLIER_SEND} {then}"
                if self._id is None:
                    await _tell(self._context, self._status, self._row, error.message, reason)
            raise
        except asyncio.CancelledError:
            if self._doubts == 0 and not self._under_way:
                # Between two tries of which the first made nothing, there is nothing to be in doubt of.
                await self._nothing_made("Cancelled while waiting to be sent.")
            raise
        finally:
            self._place.leave()

    async def _until_known(self) -> Sent:
        while True:
            try:
                self._under_way = True
                task = await self._context.api.create(self._plan, self._id, self._headers)
                self._place.slot.take(accepted=True)
                return Sent(task, self._plan.dialect, by_this_run=True)
            except errors.NeverDelivered as error:
                self._under_way = False
                await self._after_undelivered(error)
            except errors.Throttled as error:
                self._under_way = False
                await self._after_throttled(error)
            except errors.AlreadyExists as error:
                return await self._existing(error)
            except errors.RequestRefused as error:
                made = await self._lookup.made_before(self._id, error)
                if made is None:
                    raise
                return self._sent_before(made, self._plan.dialect)
            except errors.OutcomeUnknown as error:
                found = await self._after_unknown(error)
                if found is not None:
                    return Sent(found, self._plan.dialect, by_this_run=True)

    def _sent_before(self, task: KlingTask, dialect: Dialect) -> Sent:
        return Sent(task, dialect, by_this_run=self._doubtful_now, adopted=self._doubts == 0)

    async def _nothing_made(self, why: str) -> None:
        journal = self._context.journal
        await journal.call(journal.refused, self._row.row_id, why, sends=self._row.sends)

    async def _after_undelivered(self, error: errors.NeverDelivered) -> None:
        self._undelivered += 1
        if self._undelivered >= self._context.policy.connect_tries:
            raise error
        self._status.show(f"{self._context.api.connection.host} can't be reached, trying again")
        await self._context.clock.sleep(backoff(self._undelivered, jitter=random.random()))

    async def _after_throttled(self, error: errors.Throttled) -> None:
        """Wait for a slot, for as long as tasks of ours run; else for as long as the user said."""
        now, queue = self._context.clock.monotonic(), self._place.queue
        asked = obeyed_retry_after(error.retry_after, 0.0)
        if error.code == NO_FREE_SLOT:
            queue.refused(now)
            pause = Pause(asked, max(asked, queue.patience(now)))
            runner = self._context.runner
            state, end = purchase_words.waiting(runner), purchase_words.no_slot(runner)
        else:  # too fast: that a task of ours ends changes nothing
            self._too_fast += 1
            asked = max(asked, backoff(self._too_fast, jitter=random.random()))
            pause = Pause(asked, asked)
            state, end = purchase_words.SLOWER, purchase_words.TOO_FAST
        if queue.running:
            self._waited_since = now
        elif now - self._waited_since + pause.whole > self._context.settings.max_wait_seconds:
            raise errors.Throttled(end, code=error.code, request_id=error.request_id) from None
        self._status.show(state)
        await self._place.turn(self._context.clock, pause)

    async def _existing(self, error: errors.AlreadyExists) -> Sent:
        """Return the task that Kling says exists; raises OutcomeUnknown where it does not show it."""
        journal, row = self._context.journal, self._row
        if self._id is None:
            await _tell(self._context, self._status, row, purchase_words.CONFLICT, error.message)
            if not self._doubts:
                await journal.call(journal.not_shown, row.row_id)
            raise errors.AlreadyExists(
                purchase_words.CONFLICT, code=error.code, request_id=error.request_id
            ) from None
        self._place.step_aside()
        try:
            return self._sent_before(*await self._lookup.find_existing(self._id))
        except errors.OutcomeUnknown as unseen:
            if self._doubts == 0:
                await journal.call(journal.not_shown, row.row_id)
                if row.unseen:
                    unseen.message = purchase_words.FORGOTTEN
            raise

    async def _after_unknown(self, error: errors.OutcomeUnknown) -> KlingTask | None:
        """Return the task, where the create was carried out after all; None: send it once more."""
        self._doubts += 1
        self._doubtful_now = True
        if self._id is None:
            raise await in_doubt(self._context, self._status, self._row, error.message, error.code) from None
        # The others need not wait while we look; coming back, we have our place again.
        self._place.step_aside()
        self._status.show("The reply was lost. Looking whether Kling has the task")
        for pause in self._context.policy.lookup_delays:
            await self._context.clock.sleep(pause)
            found = await self._lookup.find(self._id)
            if found is not None:
                return found
        if self._doubts - (self._row.sends - 1) >= self._context.policy.unknown_sends:
            raise errors.OutcomeUnknown(
                f"{error.message} Whether the take was accepted is not known. {NEVER_TWICE}",
                external_task_id=self._id,
                code=error.code,
                request_id=error.request_id,
            ) from None
        await self._place.turn(self._context.clock)
        return None


async def in_doubt(
    context: Context, status: Status, row: Row, why: str, code: int | None = None
) -> errors.OutcomeUnknown:
    """Return the error for a doubt that can't be looked up: from here on only the user sends again."""
    text = f"{why} {purchase_words.PROXY_DOUBT}"
    await _tell(context, status, row, text, why)
    return errors.OutcomeUnknown(text, code=code)


async def _tell(context: Context, status: Status, row: Row, text: str, why: str) -> None:
    """Show that a create may have been carried out, and write down that the user was told."""
    # Shown first: a run that is cut off right after the commit must have told it all the same.
    status.warn(text)
    await context.journal.call(context.journal.in_doubt, row.row_id, why)
