"""Who is in a world and what can happen to them: plain data.

``one`` and ``twin`` are two processes on one computer and share a journal. ``far`` is another computer of the
same user with a journal of its own. ``stranger`` is somebody else who wants the very same videos. Where Kling
is asked directly (``own``), the stranger has another account, and who pays at home may change in a story: a
renewed key of the same account, a key of a second account, of another region or of a gateway, or no key and a
sign-in at Comfy.org. Behind a ``gateway`` all share one account under two keys; through Comfy.org's proxy
(``comfy``) everybody shares one account, and ``far`` counts as a stranger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kling_takes.apis import errors
from kling_takes.apis.follower import Delivered

MODES = ("own", "gateway", "comfy")
PROCESSES = ("one", "twin", "far", "stranger")
#: whose takes these are, with Kling's own API or a gateway
OWNER = {"one": "user", "twin": "user", "far": "user", "stranger": "stranger"}
HOME = {"one": "home", "twin": "home", "far": "far", "stranger": "stranger"}
KEYS = {
    "one": "canary-key-one",
    "twin": "canary-key-one",
    "far": "canary-key-far",
    "stranger": "canary-key-stranger",
}


@dataclass(frozen=True)
class Purse:
    """A key that may be put in at home, whose takes are bought with it, and the way to Kling."""

    key: str
    owner: str
    way: str = "global"


PURSES = {
    "usual": Purse(KEYS["one"], "user"),
    "renewed": Purse("canary-key-renewed", "user"),
    "second": Purse("canary-key-second", "user, second account"),
    "abroad": Purse("canary-key-abroad", "user, abroad", "china"),
    "gateway": Purse("canary-key-gateway", "user, by a gateway", "gateway"),
    "signed in": Purse("canary-key-signed-in", "user, by Comfy.org", "comfy"),
}
#: stands in every key, and nowhere else
CANARY = "canary-key"
#: the takes that everybody wants, and how many they are
WANTED = 4
#: prompt and model of each take, of both dialects; those that come after the wanted ones are made in lists
TAKES = (
    ("a red kite", "kling-v2-6"),
    ("a blue kite", "kling-v2-6"),
    ("a green kite", "kling-3.0-turbo"),
    ("a white kite", "kling-v2-6"),
    *((f"a kite with {number} tails", "kling-v2-6") for number in range(8)),
)
#: models that always make sound
SOUNDING = ("kling-3.0-turbo",)
#: the take that starts from a picture
PICTURED = 3
#: how a task may end otherwise than well, and whether that is billed
ENDS = {
    "failed": ("failed", None),
    "failed and billed": ("failed", True),
    "canceled": ("canceled", None),
    "expired and billed": ("expired", True),
}
#: how an account pays: share of cash, and its currency
PAYMENTS = {"units": (0.0, "USD"), "dollars": (1.0, "USD"), "both": (0.5, "USD"), "yuan": (1.0, "CNY")}
#: what is deducted for one that was estimated
RATES = {"as estimated": 1.0, "more than estimated": 1.5, "less than estimated": 0.5}
#: how much of the key a server repeats in all that it says
ECHOES: dict[str, Callable[[str], str]] = {"the whole key": str, "most of the key": lambda key: key[1:-1]}
#: how a link may give the number of a take
FORMS: dict[str, Callable[[int], object]] = {
    "int": int,
    "float": float,
    "text": str,
    "bool": lambda number: bool(number) if number in (0, 1) else number,
}
#: how a journal may get lost under a process that has it open
LOSSES = ("deleted", "set aside", "replaced by an older copy")

#: Every kind of fault for each operation it can strike.
KINDS = {
    "create": (
        "reset_before_headers",
        "reset_after_bytes",
        "make_then_reset",
        "truncated_json",
        "html_502_after_make",
        "error_500_before",
        "hang",
        "paced",
        "html_403",
    ),
    "lookup": (
        "reset_before_headers",
        "make_then_reset",
        "truncated_json",
        "error_500_before",
        "hang",
        "paced",
    ),
    "query": (
        "reset_before_headers",
        "make_then_reset",
        "truncated_json",
        "html_502_after_make",
        "error_500_before",
        "hang",
        "paced",
    ),
    "download": (
        "reset_before_headers",
        "truncate_download",
        "wrong_length",
        "expired_link",
        "html_403",
        "error_500_before",
        "hang",
    ),
}


class Killed(BaseException):
    """The process is gone; nothing may catch this."""


class Violation(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True)
class Cut:
    """Where a run is cut: ``cancel`` at the n-th await, ``cancel_at`` a time, ``kill`` at the n-th commit."""

    kind: str
    number: int = 0
    turns: int = 0
    seconds: float = 0.0
    before: bool = False


@dataclass(frozen=True)
class Errand:
    """One run of one take by one process, ``delay`` seconds from now.

    ``form``: how the take's number is given. ``place``: where the take stands in a node's list.
    """

    process: str
    take: int
    cut: Cut | None = None
    delay: float = 0.0
    form: str = "int"
    place: int | None = None


@dataclass(frozen=True)
class Loss:
    """The journal of a computer gets lost, ``after`` so many seconds, in one of the ways of ``LOSSES``."""

    home: str
    how: str
    after: float = 0.0


@dataclass
class Outcome:
    """How a run ended: exactly one of the three."""

    delivered: Delivered | None = None
    error: errors.KlingTakesError | None = None
    cut: bool = False
