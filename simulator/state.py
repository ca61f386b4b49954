"""The whole state of a simulated Kling: every knob a test or a user can turn, the counters, and the books.

The books are the judge of the project: a task that stands in them as succeeded was paid for. Nothing runs in
the background. A task's progress follows from `clock` alone and is settled when somebody looks, so a test
with a clock of its own needs no waiting and no thread.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .answers import Refusal, invalid
from .faults import Fault
from .money import Deduction, Payment
from .offer import Offer
from .order import Order
from .product import Product
from .products import PRODUCTS
from .results import Kind
from .task import MEDIA_FAILED, MODERATION_FAILED, Ending, RequestRecord, SimTask, without_media

#: Accepted by every simulator: they open nothing but its own account.
SIMULATOR_KEY = "api-key-kling-simulator"
SIMULATOR_ACCESS_KEY = "practice-access-key"
SIMULATOR_SECRET_KEY = "practice-secret-key"  # noqa: S105 - a public value
SIMULATOR_COMFY_TOKEN = "practice-comfy-token"  # noqa: S105 - a public value
SIMULATOR_COMFY_KEY = "practice-comfy-key"
SIMULATOR_ACCOUNT = "practice"
#: All users of Comfy.org's proxy share this one Kling account.
COMFY_ACCOUNT = "comfy.org"

KEPT_REQUESTS = 2000


@dataclass
class State:
    """Knobs, counters and books of one simulator. Times are seconds, prices Kling's units.

    An account has `balance_units` of each kind of package.

    A prompt with `[fail]` makes a task that fails by moderation, one with `[refuse]` is refused at once.
    """

    # Who may come in: key -> account, access key -> (secret key, account), proxy token or key -> user.
    api_keys: dict[str, str] = field(default_factory=lambda: {SIMULATOR_KEY: SIMULATOR_ACCOUNT}, repr=False)
    key_pairs: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {SIMULATOR_ACCESS_KEY: (SIMULATOR_SECRET_KEY, SIMULATOR_ACCOUNT)}, repr=False
    )
    comfy_tokens: dict[str, str] = field(
        default_factory=lambda: {SIMULATOR_COMFY_TOKEN: "practice-user"}, repr=False
    )
    comfy_api_keys: dict[str, str] = field(
        default_factory=lambda: {SIMULATOR_COMFY_KEY: "practice-user"}, repr=False
    )
    partner_sessions: dict[str, str] = field(default_factory=dict)  # session id -> user, for partner_token()
    partner_token_seconds: float = 900.0
    comfy_without_credits: set[str] = field(default_factory=set)
    comfy_blocked: set[str] = field(default_factory=set)
    proxy_idempotency: str = (
        "conflict"  # what a create under a used Idempotency-Key gets: or "replay", "ignored"
    )
    path_prefix: str = ""  # a gateway serves Kling under a prefix, for example "/kling"
    serves_billing: bool = True  # a gateway may not hand on `/account/billing/...`
    echo: Callable[[str], str] | None = None  # what every text of an answer repeats of the credential sent

    # How long things take. A task is submitted, then processing; a second of video takes some more.
    submitted_seconds: float = 1.0
    processing_seconds: float = 3.0
    processing_per_second: float = 0.6
    clock: Callable[[], float] = time.time
    lookup_blind_seconds: float = 0.0
    links_late_seconds: float = 0.0  # a success has no outputs yet for so long
    billing_late_seconds: float = 0.0  # a deduction stands in the bill so much later
    result_ttl_seconds: float = 30 * 86400.0
    link_ttl_seconds: float | None = (
        None  # links that live shorter than the result and are renewed by a query
    )

    # How tasks end, and what goes missing.
    endings: list[Ending] = field(default_factory=list)  # of the next accepted creates, one each
    vanished: set[str] = field(default_factory=set)  # ids of tasks whose results are gone
    forgotten: set[str] = field(default_factory=set)  # external ids that exist and whose task is never shown

    # What the account allows.
    concurrency_limit: int = 5
    balance_units: float = 1000.0
    payment: Payment = field(default_factory=Payment)
    refuse_code: int | None = None  # every create is refused with this code of Kling's table
    refusals_as_200: bool = False  # Kling sends some refusals with HTTP 200 and the code in the body
    retired_models: bool = False  # serve the models that Kling switched off on 2026-09-15
    user_models: Path | None = None  # a models.json, for models that this simulator has no rules of
    resource_packs: list[dict[str, Any]] | None = None  # None: one pack made from balance and limit
    pack_days: float = 180.0

    # What can be made, and what a result is.
    products: Mapping[str, Product[Any]] = field(default_factory=lambda: PRODUCTS, repr=False)
    render: str = "full"  # "tiny": one small file of each format for everything, made once, without a thread
    cache_dir: Path | None = None  # None: a temporary folder that goes with the server
    etag_salt: str = ""  # change it, and the CDN's files count as changed

    faults: list[Fault] = field(default_factory=list)

    # Counters.
    creates_received: int = 0
    creates_accepted: int = 0
    refusals: Counter[tuple[int, int]] = field(default_factory=Counter)
    lookups: int = 0
    polls: int = 0
    partner_renewals: Counter[str] = field(default_factory=Counter)  # by session id
    downloads: int = 0
    bytes_sent: int = 0
    ignored_fields: Counter[str] = field(default_factory=Counter)
    cdn_saw_authorization: bool = False
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))

    # Books.
    tasks: dict[str, SimTask] = field(default_factory=dict)
    deductions: list[Deduction] = field(default_factory=list)  # the bill, in the order of time
    signing_secret: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    started_at: float = field(default=0.0, repr=False)
    last_account_at: dict[str, float] = field(default_factory=dict, repr=False)
    _external: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _running: dict[str, SimTask] = field(default_factory=dict, repr=False)
    _spent: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _idempotent: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _next_id: int = field(
        default_factory=lambda: 10**17 * (1 + secrets.randbelow(8)) + secrets.randbelow(10**17)
    )
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self.started_at = self.started_at or self.clock()

    @property
    def offer(self) -> Offer:
        """The models that are served besides the living ones."""
        return Offer(self.retired_models, self.user_models)

    def take_fault(self, operation: str) -> Fault | None:
        """Return the first fault meant for `operation` and use it up once."""
        with self._lock:
            for place, fault in enumerate(self.faults):
                if fault.fits(operation):
                    if fault.times == 1:
                        del self.faults[place]
                    else:
                        self.faults[place] = replace(fault, times=fault.times - 1)
                    return fault
        return None

    def accept(
        self, order: Order, *, account: str, dialect: str, body: Any = None, owner: str = ""
    ) -> SimTask:
        """Make the task of an order, or raise the Refusal Kling answers; a refused order costs nothing.

        Refused are: content (1301), an `external_task_id` that the account has used (1201), an empty account
        (1102), and more tasks of one model at once than the account allows (1303).
        """
        with self._lock:
            if self.refuse_code is not None:
                raise Refusal(self.refuse_code)
            if "[refuse]" in order.words():
                raise Refusal(1301)
            if self._is_taken(account, order.external_task_id):
                raise invalid(f"External_task_id {order.external_task_id} already exists")
            self.settle_all()
            product = self.products[order.product]
            price, slots = product.units(order), product.slots(order)
            running = [
                task
                for task in self._running.values()
                if task.account == account and task.package == product.package
            ]
            reserved = sum(self.payment.units(task.price_units) for task in running if task.costs)
            if self.payment.units(price) > self.balance(account, product.package) - reserved + 1e-9:
                raise Refusal(1102)
            taken = sum(task.slots for task in running if task.order.model == order.model)
            if taken + slots > self.concurrency_limit:
                raise Refusal(1303)
            self.creates_accepted += 1
            self.ignored_fields.update(order.ignored)
            task = self._enter(order, account, dialect, without_media(body), owner)
            if self.endings:
                task.end(self.endings.pop(0))
            return task

    def _is_taken(self, account: str, external: str | None) -> bool:
        return external is not None and (external in self.forgotten or (account, external) in self._external)

    def _enter(self, order: Order, account: str, dialect: str, body: Any, owner: str) -> SimTask:
        product = self.products[order.product]
        now = self.clock()
        started = now + self.submitted_seconds
        fails_with = MODERATION_FAILED if "[fail]" in order.words() else ""
        if order.unreachable_media:
            fails_with = MEDIA_FAILED
        self._next_id += 1 + secrets.randbelow(1000)
        task = SimTask(
            id=str(self._next_id),
            account=account,
            external_task_id=order.external_task_id,
            product=order.product,
            dialect=dialect,
            body=body,
            order=order,
            outputs=product.outputs(order),
            package=product.package,
            slots=product.slots(order),
            created_at=now,
            started_at=started,
            due_at=started + self.processing_seconds + self.processing_per_second * product.work(order),
            fails_with=fails_with,
            price_units=product.units(order),
            owner=owner,
        )
        self.tasks[task.id] = task
        self._running[task.id] = task
        if task.external_task_id:
            self._external[account, task.external_task_id] = task.id
        return task

    def seed_task(
        self,
        product: str,
        dialect: str = "legacy",
        *,
        status: str = "succeed",
        account: str = SIMULATOR_ACCOUNT,
        external_task_id: str | None = None,
        model: str = "kling-v2-6",
        seconds: int = 5,
        message: str = "",
        prompt: str = "a video made elsewhere",
    ) -> SimTask:
        """Put a task into the books as if it had been made elsewhere; `status` succeed, failed or running."""
        order = self.products[product].sample(model, prompt, seconds, external_task_id)
        with self._lock:
            task = self._enter(order, account, dialect, None, "")
            if status != "running":
                task.fails_with = (message or MODERATION_FAILED) if status == "failed" else ""
                task.started_at = task.due_at = task.created_at
                self.settle(task)
        return task

    def settle(self, task: SimTask) -> SimTask:
        """Bring a task's outcome up to date: what is finished stays finished, and was billed once."""
        with self._lock:
            if task.outcome is None and not task.rendering and self.clock() >= task.due_at:
                task.outcome = task.ends_as or ("failed" if task.fails_with else "succeed")
                task.message = task.fails_with
                task.finished_at = task.due_at
                task.billed_units = 0.0
                if task.costs:
                    self.bill(task)
                self._running.pop(task.id, None)
        return task

    def bill(self, task: SimTask) -> None:
        """Take what a task costs; whoever calls it again bills twice."""
        units = self.payment.units(task.price_units)
        cash = self.payment.money(task.price_units, task.package)
        at, purse = task.finished_at or self.clock(), (task.account, task.package)
        if units:
            task.billed_units = units
            before = self.balance(*purse)
            self.deductions.append(Deduction(task, at, units, before=before))
            self._spent[purse] = self._spent.get(purse, 0.0) + units
        if cash:
            task.billed_cash, task.currency = cash, self.payment.currency
            self.deductions.append(Deduction(task, at, cash, task.currency))

    def settle_all(self) -> None:
        """Bring every running task up to date."""
        with self._lock:
            for task in list(self._running.values()):
                self.settle(task)

    def status(self, task: SimTask) -> str:
        """Return "submitted", "processing", "succeed", "failed" or another word for the end."""
        self.settle(task)
        if task.outcome is not None:
            return task.outcome
        return "submitted" if self.clock() < task.started_at else "processing"

    def updated_at(self, task: SimTask) -> float:
        """Return when the task last changed its status."""
        if task.finished_at is not None:
            return task.finished_at
        return task.created_at if self.status(task) == "submitted" else task.started_at

    def find(
        self, account: str, identifier: str, *, dialect: str, product: str | None = None
    ) -> SimTask | None:
        """Return the account's task of that task id or external id, None when Kling would not find it."""
        task = self.tasks.get(identifier) or self.find_external(account, identifier)
        if task is None or task.account != account or task.dialect != dialect or self.is_hidden(task):
            return None
        return task if product in (None, task.product) else None

    def find_external(self, account: str, external: str) -> SimTask | None:
        """Return the task with that external id, None also while it is hidden."""
        task = self.tasks.get(self._external.get((account, external), ""))
        if task is None or self.is_hidden(task) or self.clock() < task.created_at + self.lookup_blind_seconds:
            return None
        return task

    def is_hidden(self, task: SimTask) -> bool:
        """Tell whether the account has forgotten the task, and not its external id."""
        return task.external_task_id in self.forgotten

    def shows_results(self, task: SimTask) -> bool:
        """Tell whether a task has its results, which may come later than its success and may be lost."""
        if self.status(task) != "succeed" or task.id in self.vanished:
            return False
        late = self.links_late_seconds
        return not late or self.clock() >= (task.finished_at or 0.0) + late

    def of(self, account: str, dialect: str, product: str | None = None) -> list[SimTask]:
        """Return the account's tasks of a dialect, newest first."""
        chosen = [
            task
            for task in list(self.tasks.values())
            if task.account == account and task.dialect == dialect and product in (None, task.product)
            if not self.is_hidden(task)
        ]
        return sorted(chosen, key=lambda task: (task.created_at, int(task.id)), reverse=True)

    def balance(self, account: str = SIMULATOR_ACCOUNT, package: Kind = "video") -> float:
        """Return the units an account has left of one kind; only finished tasks have taken any."""
        return self.balance_units - self._spent.get((account, package), 0.0)

    def billed(self, account: str | None = None) -> list[SimTask]:
        """Return the tasks that were paid for, which are usually those that succeeded."""
        self.settle_all()
        return [
            task
            for task in list(self.tasks.values())
            if task.outcome is not None and task.costs and account in (None, task.account)
        ]

    def committed(self, account: str | None = None) -> list[SimTask]:
        """Return the tasks that are or will be paid for: every accepted one that does not fail unbilled."""
        return [task for task in list(self.tasks.values()) if task.costs and account in (None, task.account)]

    def spent_usd(self, account: str | None = None) -> float:
        """Return everything that was taken, in US dollars."""
        self.settle_all()
        return sum(entry.usd for entry in list(self.deductions) if account in (None, entry.task.account))

    def idempotent(self, user: str, key: str) -> SimTask | None:
        """Return the task that this proxy user made under this Idempotency-Key."""
        return self.tasks.get(self._idempotent.get((user, key), ""))

    def remember_key(self, user: str, key: str, task: SimTask) -> None:
        """Note that this proxy user made `task` under this Idempotency-Key."""
        self._idempotent[user, key] = task.id
