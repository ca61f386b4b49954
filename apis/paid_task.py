"""One take, paid for once: prepare, submit once, and know what came of it.

The invariant: every create of an attempt goes out under the same id, and its row is in the journal before the
first byte leaves. So whatever breaks, where and how often, the next run of the same take finds what was
bought instead of buying again. A cancelled or killed run needs no clean-up: the row it left says where to go
on.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from . import errors, purchase_words
from .context import Context
from .endings import billed_failure
from .follower import already_bought
from .installation_secret import installation_secret
from .journal import OPEN_STATES, Purchase, Row
from .kling.dialects import Dialect
from .kling.responses import KlingTask, Phase
from .lookup import Lookup
from .payer import bought_elsewhere
from .plan import Plan
from .sending import Sending, in_doubt
from .slots import Place
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
    """One purchase of a plan, at a place in the line of creates."""

    def __init__(
        self,
        context: Context,
        plan: Plan,
        status: Status,
        place: Place,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> None:
        """Begin; nothing is looked at or sent yet."""
        self.context = context
        self.plan = plan
        self.status = status
        self.place = place
        self.prompt_id = prompt_id
        self.node_id = node_id
        self.lookup = Lookup(context, plan.product, plan.dialect, status)
        self.payer = context.settings.credential.fingerprint()
        self.take = plan.take
        self.secret = ""

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
        return Bought(TaskRef.of_row(attempt.row), attempt.by_this_run)

    async def _latest(self) -> Row | None:
        """Return the row of the latest attempt, under whichever name the take was bought, and go on there."""
        journal, account = self.context.journal, self.context.settings.account
        rows = {}
        for name in (self.plan.take, *self.plan.former_takes):
            row = await journal.call(journal.find, account, name)
            if row is not None and (row.state not in ("refused", "failed") or row.is_billed_failure):
                self.take = name
                return row
            rows[name] = row
        for name in self.plan.former_takes:
            # Another machine may have bought it under that name, or this one before its journal was lost.
            external_id = self._external_id(1, name)
            if external_id is not None and await self.lookup.find(external_id) is not None:
                self.take = name
                break
        return rows[self.take]

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
            deduction = self.context.deduction_of(bought.task)
            await journal.call(
                journal.failed,
                bought.row.row_id,
                bought.task.message,
                now=self.context.clock.time(),
                deduction=deduction,
                spent_usd=deduction.usd(self.context.table.usd_per_unit),
            )
            if deduction:
                task, external_id = bought.task, bought.row.external_task_id
                raise billed_failure(task.message, deduction, task.task_id, external_id)
        raise errors.InvalidInput(
            f"This take has failed {self.context.policy.attempts} times. Change the prompt or the picture, "
            "or choose another number for take.",
            widget="take",
        )

    async def _obtain(self, attempt: int, open_row: Row | None) -> _Attempt:
        """Return the task of one attempt: found where it exists, else bought."""
        external_id = self._external_id(attempt, self.take)
        if open_row is not None:
            found = await self._settle_doubt(open_row, external_id)
            if found is not None:
                adopted = open_row.adopted == 1
                return await self._record(open_row, found, by_this_run=False, adopted=adopted)
        # Before the row: a run that fails or is cancelled here has sent nothing, and leaves no doubt behind.
        if external_id is None:
            self.secret = installation_secret(self.context.journal.path.parent, resend=open_row is not None)
        if self.place.queue.is_full:
            self.status.show(purchase_words.waiting(self.context.runner))
        elif not self.place.is_next:
            self.status.show(purchase_words.IN_LINE)
        await self.place.turn(self.context.clock)
        purchase = self._purchase(attempt, external_id)
        try:
            row = await self._prepare(purchase, self.context.settings.max_usd_per_day)
        except (errors.SpendingLimitReached, errors.BoughtElsewhere) as refusal:
            # Both are about buying. A take that another machine has bought here costs nothing to collect.
            found = await self.lookup.find(external_id) if external_id else None
            if found is None:
                raise await self._explained(refusal, purchase) from None
            row = await self._prepare(purchase, None, found=True)
            return await self._record(row, found, by_this_run=False, adopted=row.sends == 1)
        if row.state not in OPEN_STATES:
            return _Attempt(row, None, by_this_run=False)  # another process was faster with the same row
        if external_id is None and row.sends > 1 + (open_row.sends if open_row is not None else 0):
            # Another process has begun to send since we looked, and no lookup can tell what came of it.
            raise await in_doubt(
                self.context, self.status, row, "Another process is buying this take at this moment."
            )
        key = None if external_id else idempotency_key(self.take, row.attempt, self.secret)
        sending = Sending(self.context, self.plan, self.status, self.place, self.lookup, row, key)
        sent = await sending.send()
        return await self._record(
            row, sent.task, by_this_run=sent.by_this_run, adopted=sent.adopted, dialect=sent.dialect
        )

    async def _explained(
        self, refusal: errors.SpendingLimitReached | errors.BoughtElsewhere, purchase: Purchase
    ) -> errors.KlingTakesError:
        """Return a refusal with both accounts in words, where it is about them."""
        journal = self.context.journal
        if isinstance(refusal, errors.BoughtElsewhere):
            other = await journal.call(journal.find_elsewhere, purchase, self._other_names)
            if other is not None:
                return bought_elsewhere(other, purchase.account)
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
            former_takes=self._other_names,
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

    # -- looking up ------------------------------------------------------------------------------------

    async def _settle_doubt(self, row: Row, external_id: str | None) -> KlingTask | None:
        """Return the task of a create whose outcome an earlier run did not learn; None: send it (again)."""
        if external_id is not None:
            self.status.show("Looking whether an earlier run bought this take")
            return await self.lookup.find(external_id)
        if row.state == "prepared":
            raise await in_doubt(self.context, self.status, row, "An earlier run of this take was cut off.")
        return None

    # -- small things ----------------------------------------------------------------------------------

    @property
    def _other_names(self) -> list[str]:
        """The names under which the very same take may have been bought as well."""
        return [name for name in (self.plan.take, *self.plan.former_takes) if name != self.take]

    def _external_id(self, attempt: int, take: str) -> str | None:
        settings = self.context.settings
        if settings.backend == "comfy_org":
            return None
        scope = settings.credential.fingerprint() if settings.shares_account else ""
        return external_task_id(take, attempt, scope)

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
