"""Everything that one account needs to make takes: where, as whom, which models, which journal."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from . import errors
from .account import AccountSummary, summarise
from .client import Connection, Limits
from .clock import Clock, RealClock
from .collect import Delivered, Follower
from .journal import Journal, Row, shared_journal
from .kling import costs, dialects
from .kling.models import ModelTable
from .kling.requests import VideoRequest
from .kling.responses import KlingTask
from .paid_task import PaidTask
from .polling import POLL_CEILING, POLL_FLOOR
from .settings import Settings, is_loopback
from .status import Reporter, Status
from .tasks_api import TasksApi
from .transport import open_session

#: seconds between two questions about the account: Kling allows one a second (Kling docs, 2026-09-20)
ACCOUNT_PAUSE = 1.1
#: days back that packs are asked for: the longest pack is good for a year
HISTORY_DAYS = 400
#: seconds that a task of an unknown product is expected to take
UNKNOWN_WAIT = 120.0

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_account_asked: dict[str, float] = {}


@dataclass(frozen=True)
class Policy:
    """How patient the protocol is; times in seconds."""

    #: tries to reach the host before a create is given up, unpaid
    connect_tries: int = 4
    #: creates under one id whose outcome stays unknown before the run says so and stops
    unknown_sends: int = 3
    #: waits before each look for a create whose reply was lost
    lookup_delays: tuple[float, ...] = (1.0, 3.0, 8.0)
    #: waits before each look for a task that Kling says exists
    exists_delays: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
    #: tries of a lookup that fails in passing
    read_tries: int = 5
    #: failed attempts at one take before another number is asked for
    attempts: int = 50
    poll_floor: float = POLL_FLOOR
    poll_ceiling: float = POLL_CEILING
    limits: Limits = field(default_factory=Limits)


class Studio:
    """Makes and collects the takes of one account.

    ``journal`` is written on every step that concerns money. Cancelling a method is safe at any time.
    """

    def __init__(
        self,
        settings: Settings,
        table: ModelTable,
        journal: Journal | None = None,
        *,
        clock: Clock | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Nothing is opened or sent yet. Without a ``journal`` it is the one of this installation."""
        self.settings = settings
        self.table = table
        self.journal = journal or shared_journal(_journal_folder(settings) / "journal.sqlite3")
        self.clock = clock or RealClock()
        self.policy = policy or Policy()
        self.api = TasksApi(
            Connection(settings.base_url, settings.credential, self.clock, self.policy.limits)
        )

    @property
    def practice(self) -> bool:
        """Whether the money is a simulator's."""
        return self.settings.backend == "simulator"

    @property
    def on_this_computer(self) -> bool:
        """Whether the API is on loopback, so that links to loopback are no surprise."""
        return is_loopback(urlsplit(self.settings.base_url).hostname)

    async def take(
        self,
        request: VideoRequest,
        *,
        take: int,
        files: Path,
        reporter: Reporter,
        prompt_id: str | None = None,
        node_id: str | None = None,
    ) -> Delivered:
        """Deliver a take into the folder ``files``: bought once, collected ever after.

        Raises InvalidInput before anything is sent, and any error of ``apis.errors`` later.
        """
        status = self._status(reporter)
        task = PaidTask(self, request, take, files, status, prompt_id, node_id)
        async with status.ticking():
            return await task.run()

    async def recover(
        self, some_id: str, *, product: str | None, files: Path, reporter: Reporter
    ) -> Delivered:
        """Collect any task of the account by Kling's id or by our own; buys nothing.

        ``product`` is a name of ``dialects.QUERY_PRODUCTS``, or None to look everywhere. Raises InvalidInput,
        TaskGone where Kling has no such task, TaskFailed, StillRunning, DownloadFailed.
        """
        wanted = some_id.strip()
        if not _ID.fullmatch(wanted):
            raise errors.InvalidInput(
                "task_id: that is not the id of a task. Paste the Kling ID that a node gave out, digits "
                "only, or an external task id like kt-…",
                widget="task_id",
            )
        status = self._status(reporter)
        async with status.ticking(), open_session():
            status.show("Looking for the task")
            row = await self.journal.call(self.journal.find_task, self.settings.account, wanted)
            if row is None or row.task_id is None:
                row = await self._foreign_row(wanted, product)
            return await Follower(self, files, status).deliver(
                row,
                typical=UNKNOWN_WAIT,
                deadline=self.settings.max_wait_seconds,
                collected=True,
            )

    async def _foreign_row(self, wanted: str, product: str | None) -> Row:
        """A row, not in the journal, for a task that something else has bought."""
        found = await self._anywhere(wanted, product)
        if found is None:
            raise errors.TaskGone(
                f"Kling has no task {wanted} under this key. Check the id, KLING_REGION and that the key "
                "is of the account that bought it; Kling keeps tasks for 30 days.",
            )
        task, where, dialect = found
        return Row(
            row_id=0,
            account=self.settings.account,
            take="",
            attempt=1,
            external_task_id=task.external_task_id,
            task_id=task.task_id,
            state="submitted",
            sends=0,
            adopted=1,
            practice=int(self.practice),
            product=where,
            dialect=dialect,
            model="",
            kind="",
            estimated_units=None,
            estimated_usd=None,
            deducted_units=None,
            duration=None,
            failure=None,
            prompt_id=None,
            node_id=None,
            prepared_at=self.clock.time(),
            submitted_at=task.created_at,
            started_at=None,
            finished_at=None,
            delivered_at=None,
        )

    async def _anywhere(self, wanted: str, product: str | None) -> tuple[KlingTask, str, str] | None:
        """The task, its product and the dialect that finds it."""
        legacy, standard = dialects.by_name("legacy"), dialects.by_name("standard")
        products = (product,) if product else dialects.QUERY_PRODUCTS
        trouble: errors.ApiError | None = None
        for place in products:
            try:
                # The legacy address takes Kling's id and ours alike.
                task = await self.api.find(legacy, place, wanted)
            except errors.AuthenticationFailed:
                raise
            except errors.RequestRefused:
                continue  # this host does not serve that product
            except errors.ApiError as error:
                trouble = error
                continue
            if task is not None:
                return task, place, legacy.name
        if self.settings.credential.kind != "key_pair":
            try:
                task = await self.api.find(standard, products[0], wanted)
                task = task or await self.api.get(standard, products[0], wanted)
                return task, products[0], standard.name
            except errors.NotFound:
                pass
            except errors.ApiError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return None

    async def account(self) -> AccountSummary:
        """The account's resource packs: asks Kling at most once a second."""
        key = self.settings.account
        async with open_session():
            # Each caller books the next free moment before it waits, so that several at once stay apart.
            now = time.monotonic()
            moment = max(now, _account_asked.get(key, 0.0) + ACCOUNT_PAUSE)
            _account_asked[key] = moment
            await asyncio.sleep(moment - now)
            now = self.clock.time()
            reply = await self.api.exchange(costs.call(now - HISTORY_DAYS * 86400, now))
        try:
            return summarise(reply, now)
        except ValueError as error:
            raise errors.ApiError(str(error)) from None

    def idempotency_secret(self, *, resend: bool = False) -> str:
        """A random secret of this installation, kept beside the journal and made at its first use.

        For a ``resend`` none is made: under another key than the first it would be a second purchase.
        """
        path = self.journal.path.with_name("idempotency.secret")
        try:
            if not path.exists():
                if resend:
                    raise errors.JournalError(
                        f"{path.name} beside the record of paid takes is missing. An earlier run may have "
                        "bought this take under it, so it is not sent again. See the usage in your Comfy "
                        "account; to buy it anew, choose another number for take."
                    )
                _publish_once(path, secrets.token_hex(32))
            secret = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.JournalError(
                f"{path.name} beside the record of paid takes can't be used ({type(error).__name__}). "
                "Nothing is bought without it. Check that ComfyUI's user folder is writable."
            ) from None
        if not re.fullmatch(r"[0-9a-f]{64}", secret):
            raise errors.JournalError(
                f"{path.name} beside the record of paid takes is damaged. Nothing is bought. Delete it "
                "only when no take is on its way: without it, an unfinished take of the Comfy.org account "
                "can't be told apart."
            )
        return secret

    def _status(self, reporter: Reporter) -> Status:
        return Status(reporter, self.clock)


_practice: list[tempfile.TemporaryDirectory[str]] = []


def _journal_folder(settings: Settings) -> Path:
    """The folder of the journal; the built-in simulator forgets at exit, and so does its journal."""
    if settings.backend != "simulator":
        return settings.user_dir
    if not _practice:
        _practice.append(
            tempfile.TemporaryDirectory(prefix="kling-takes-practice-", ignore_cleanup_errors=True)
        )
    return Path(_practice[0].name)


def _publish_once(path: Path, text: str) -> None:
    """Create ``path`` with ``text``, whole or not at all; where it exists already it stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails where the file exists, which a rename would not
        except FileExistsError:
            return
        except OSError:
            if not path.exists():  # a file system without hard links
                draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
