"""The way in: makes and collects the takes of one account. Nothing in ``apis`` imports this module."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from . import account_reads, errors, plan, purchase_words
from .account import AccountSummary, summarise
from .audit import Audit, compare, unreadable
from .cancelling import beside
from .client import Connection
from .clock import Clock, RealClock
from .comfy_token import TokenRenewal
from .context import Context, Policy
from .credentials import ComfyOrg
from .delivered import Delivered
from .follower import Follower
from .journal import Journal, shared_journal
from .kling import billing, packs
from .kling.draft import Draft
from .kling.models import ModelTable
from .kling.products import PRODUCTS
from .kling.request import KlingRequest
from .paid_task import PaidTask
from .payer import account_in_words
from .plan import Plan, Route
from .recover import find_task
from .settings import PROXY_PATH, Settings
from .slots import SlotQueue, account_runs, slot_queue, take_lock
from .status import Reporter, Status
from .tasks_api import TasksApi
from .transport import open_session

#: days back that packs are asked for: the longest pack is good for a year
HISTORY_DAYS = 400
#: days back that Kling's bill is compared with the journal, where nobody says since when
AUDIT_DAYS = 30
#: seconds that a task of an unknown product is expected to take
UNKNOWN_WAIT = 120.0

#: seconds after which the account is asked anew how many tasks it runs at once
ASK_AGAIN = 3600.0

_slots_asked: dict[str, float] = {}


class Studio:
    """Makes and collects the takes of one account.

    The journal is written on every step that concerns money. Cancelling a method is safe at any time.
    """

    def __init__(self, context: Context) -> None:
        """Begin; nothing is opened or sent yet."""
        self.context = context

    @staticmethod
    def open(
        settings: Settings,
        table: ModelTable,
        journal: Journal | None = None,
        *,
        clock: Clock | None = None,
        policy: Policy | None = None,
    ) -> Studio:
        """Return the studio of an account; without a ``journal`` it is the one of this installation."""
        clock, policy = clock or RealClock(), policy or Policy()
        credential = settings.credential
        renewal = None
        if isinstance(credential, ComfyOrg):
            renewal = TokenRenewal(credential, settings.base_url.removesuffix(PROXY_PATH), clock)
        connection = Connection(
            settings.base_url,
            credential,
            clock,
            policy.timeouts,
            by_comfy_org=settings.backend == "comfy_org",
            renewal=renewal,
        )
        return Studio(
            Context(
                settings=settings,
                table=table,
                journal=journal or shared_journal(_journal_folder(settings) / "journal.sqlite3"),
                clock=clock,
                policy=policy,
                api=TasksApi(connection),
            )
        )

    async def notes(self) -> tuple[str, ...]:
        """Return what the user should know of the account: who pays, and where its record is kept."""
        notice = await self.context.journal.call(self.context.journal.notice)
        return (f"Paid by {self.payer}.", *([notice] if notice else []))

    @property
    def payer(self) -> str:
        """Who pays, in words."""
        if self.context.simulated:
            return "nobody: the built-in simulator takes no money"
        return account_in_words(self.context.settings.account)

    @property
    def files(self) -> Path:
        """Where takes are kept: beside the journal, in the pack's own folder."""
        return self.context.journal.path.parent / "takes"

    def route(self, request: type[KlingRequest], values: dict[str, Any]) -> Route:
        """Return how this account reaches the model that ``values`` name, before there is a whole request.

        Raises InvalidInput where it can't.
        """
        fields = request.model_fields.items()
        values = {name: info.default for name, info in fields if not info.is_required()} | values
        return plan.route(
            PRODUCTS[request.product],
            Draft(values),
            self.context.table,
            self.context.settings.credential.kind,
        )

    def plan(self, request: KlingRequest, number: object, route: Route | None = None) -> Plan:
        """Return the checked plan of a take; raises InvalidInput naming the widget. Sends nothing."""
        context = self.context
        return plan.make_plan(request, number, context.table, context.settings.credential.kind, route)

    async def take(
        self,
        plan: Plan,
        *,
        files: Path,
        reporter: Reporter,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> Delivered:
        """Deliver a take into the folder ``files``: bought once, collected ever after.

        Raises any error of ``apis.errors``.
        """

        async def made() -> Plan:
            return plan

        return await self.take_in_turn(
            plan.model, made, files=files, reporter=reporter, prompt_id=prompt_id, node_id=node_id
        )

    async def take_in_turn(
        self,
        model: str,
        make: Callable[[], Awaitable[Plan]],
        *,
        files: Path,
        reporter: Reporter,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> Delivered:
        """Deliver a take whose plan is made when its turn is near, as ``take`` does.

        A plan holds packed pictures: of a list of hundreds only a few are made at a time, and each is let go
        when its create has been sent.
        """
        context, status = self.context, Status(reporter, self.context.clock)
        account = context.settings.account
        async with beside(status.tick()), open_session(), AsyncExitStack() as stack:
            place = stack.enter_context(slot_queue(account, model).place())
            if not place.is_near:
                status.show(purchase_words.IN_LINE)
                await stack.enter_async_context(beside(self._learn_slots(place.queue)))
            await place.near()
            plan = await make()
            lock, typical = take_lock(account, plan.take), plan.typical_seconds
            if lock.is_wanted:
                # It may take as long as a video: nobody waits behind it, and no picture waits with it.
                del plan
                place.leave()
                status.show("Waiting for another node that makes this very take")
                await stack.enter_async_context(lock)
                await place.near()
                plan = await make()
            else:
                await stack.enter_async_context(lock)
            bought = await PaidTask(context, plan, status, place, prompt_id, node_id).buy()
            del plan
            place.leave()
            return await Follower(context, files, status).deliver(
                bought.task, typical=typical, collected=not bought.by_this_run, slot=place.slot
            )

    async def _learn_slots(self, queue: SlotQueue) -> None:
        """Ask once an hour how many tasks the account runs at once, where a host can tell."""
        settings, now = self.context.settings, self.context.clock.monotonic()
        if settings.backend != "kling" or now - _slots_asked.get(settings.account, -ASK_AGAIN) < ASK_AGAIN:
            return
        _slots_asked[settings.account] = now
        with suppress(errors.KlingTakesError):
            summary = await self.account()
            if queue.limit is None:
                queue.limit = summary.concurrency or None

    async def recover(
        self, some_id: str, *, product: str | None, files: Path, reporter: Reporter
    ) -> Delivered:
        """Collect any task of the account by Kling's id or by our own; buys nothing.

        ``product`` is a name of ``legacy_paths``, or None to look everywhere. Raises InvalidInput, NotFound
        where Kling has no such task, TaskFailed, TaskEnded, StillRunning, DownloadFailed.
        """
        context, status = self.context, Status(reporter, self.context.clock)
        async with beside(status.tick()), open_session():
            status.show("Looking for the task")
            task = await find_task(context, some_id, product)
            return await Follower(context, files, status).deliver(task, typical=UNKNOWN_WAIT, collected=True)

    async def account(self) -> AccountSummary:
        """Return the account's resource packs; asks Kling at most once a second."""
        async with open_session():
            now = self.context.clock.time()
            reply = await account_reads.ask(self.context, packs.asked_for(now - HISTORY_DAYS * 86400, now))
        try:
            summary = summarise(reply, now)
        except ValueError as error:
            raise errors.ApiError(str(error)) from None
        if summary.concurrency:
            account_runs(self.context.settings.account, summary.concurrency)
        return summary

    async def audit(self, since: float | None = None) -> Audit:
        """Compare Kling's own bill with the journal, from Unix time ``since`` on; by default of 30 days.

        Both lists of the bill are read to their end, at the pace that Kling allows. Where they can't be read
        the audit says so. Raises JournalError.
        """
        context, settings = self.context, self.context.settings
        now = context.clock.time()
        since = now - AUDIT_DAYS * 86400 if since is None else since
        if settings.backend == "comfy_org":
            return Audit(since, "Comfy.org does not show it: see the usage in your Comfy.org account.")
        try:
            async with open_session():
                units = await account_reads.read_bill(context, billing.UNITS, since, now)
                money = await account_reads.read_bill(context, billing.MONEY, since, now)
        except errors.ApiError as error:
            return Audit(since, unreadable(error))
        rows = await context.journal.call(context.journal.at_kling, practice=context.simulated)
        return compare(
            rows,
            billing.by_task(units, money),
            account=settings.account,
            payer=settings.credential.fingerprint(),
            since=since,
            now=now,
        )


_simulated: list[tempfile.TemporaryDirectory[str]] = []


def _journal_folder(settings: Settings) -> Path:
    """Return the folder of the journal; the built-in simulator forgets at exit, and so does its journal."""
    if settings.backend != "simulator":
        return settings.user_dir
    if not _simulated:
        _simulated.append(
            tempfile.TemporaryDirectory(prefix="kling-takes-practice-", ignore_cleanup_errors=True)
        )
    return Path(_simulated[0].name)
