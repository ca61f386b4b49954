"""The way in: makes and collects the takes of one account. Nothing in ``apis`` imports this module."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from . import errors, plan
from .account import AccountSummary, summarise
from .client import Connection
from .clock import Clock, RealClock
from .context import Context, Policy
from .follower import Delivered, Follower
from .journal import Journal, shared_journal
from .kling import packs
from .kling.draft import Draft
from .kling.models import ModelTable
from .kling.products import PRODUCTS
from .kling.request import KlingRequest
from .paid_task import PaidTask
from .plan import Plan, Route
from .recover import find_task
from .settings import Settings
from .slots import slot_queue, take_lock
from .status import Reporter, Status
from .tasks_api import TasksApi
from .transport import open_session

#: seconds between two questions about the account: Kling allows one a second (Kling docs, 2026-09-20)
ACCOUNT_PAUSE = 1.1
#: days back that packs are asked for: the longest pack is good for a year
HISTORY_DAYS = 400
#: seconds that a task of an unknown product is expected to take
UNKNOWN_WAIT = 120.0

_account_asked: dict[str, float] = {}


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
        connection = Connection(settings.base_url, settings.credential, clock, policy.timeouts)
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

    def plan(self, request: KlingRequest, number: int, route: Route | None = None) -> Plan:
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
        context, status = self.context, Status(reporter, self.context.clock)
        account, begun = context.settings.account, context.clock.monotonic()
        lock = take_lock(account, plan.take)
        async with status.ticking():
            if lock.locked():
                status.show("Waiting for another node that makes this very take")
            async with lock, open_session():
                bought = await PaidTask(context, plan, status, prompt_id, node_id).buy()
                return await Follower(context, files, status, slot_queue(account, plan.model)).deliver(
                    bought.task,
                    typical=plan.typical_seconds,
                    deadline=context.settings.max_wait_seconds - (context.clock.monotonic() - begun),
                    collected=not bought.by_this_run,
                )

    async def recover(
        self, some_id: str, *, product: str | None, files: Path, reporter: Reporter
    ) -> Delivered:
        """Collect any task of the account by Kling's id or by our own; buys nothing.

        ``product`` is a name of ``legacy_paths``, or None to look everywhere. Raises InvalidInput, TaskGone
        where Kling has no such task, TaskFailed, StillRunning, DownloadFailed.
        """
        context, status = self.context, Status(reporter, self.context.clock)
        async with status.ticking(), open_session():
            status.show("Looking for the task")
            task = await find_task(context, some_id, product)
            return await Follower(context, files, status).deliver(
                task,
                typical=UNKNOWN_WAIT,
                deadline=context.settings.max_wait_seconds,
                collected=True,
            )

    async def account(self) -> AccountSummary:
        """Return the account's resource packs; asks Kling at most once a second."""
        key = self.context.settings.account
        async with open_session():
            # Each caller books the next free moment before it waits, so that several at once stay apart.
            now = time.monotonic()
            moment = max(now, _account_asked.get(key, 0.0) + ACCOUNT_PAUSE)
            _account_asked[key] = moment
            await asyncio.sleep(moment - now)
            now = self.context.clock.time()
            reply = await self.context.api.read(packs.asked_for(now - HISTORY_DAYS * 86400, now))
        try:
            return summarise(reply, now)
        except ValueError as error:
            raise errors.ApiError(str(error)) from None


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
