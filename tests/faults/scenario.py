"""Who is in a world and what can happen to them: plain data.

``one`` and ``twin`` are two processes on one computer and share a journal. ``far`` is another computer of the
same user with a journal of its own. ``stranger`` is somebody else who wants the very same videos. Where Kling
is asked directly (``own``), the stranger has another account, and the user may change the key at home in a
story: for a renewed one of the same account, for that of a second account, or for one of another region.
Behind a ``gateway`` both share one account under two keys; through Comfy.org's proxy (``comfy``) everybody
shares one account, and ``far`` counts as a stranger.
"""

from __future__ import annotations

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
#: the keys that may be put in at home, and whose takes are bought with each
PURSES = {
    "usual": (KEYS["one"], "user"),
    "renewed": ("canary-key-renewed", "user"),
    "second": ("canary-key-second", "user, second account"),
    "abroad": ("canary-key-abroad", "user, abroad"),
}
#: The takes that everybody wants: prompt and model, of both dialects.
TAKES = (
    ("a red kite", "kling-v2-6"),
    ("a blue kite", "kling-v2-6"),
    ("a green kite", "kling-3.0-turbo"),
    ("a white kite", "kling-v2-6"),
)
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
    """One run of one take by one process, ``delay`` seconds from now."""

    process: str
    take: int
    cut: Cut | None = None
    delay: float = 0.0


@dataclass
class Outcome:
    """How a run ended: exactly one of the three."""

    delivered: Delivered | None = None
    error: errors.KlingTakesError | None = None
    cut: bool = False
