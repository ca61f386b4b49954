"""What a purchase says while its outcome is open: each sentence is true about money."""

from __future__ import annotations

NEVER_LEFT = "The request never left, so it is not paid."
NOTHING_PAID = "Nothing was made and nothing is paid."
EARLIER_SEND = "An earlier send of this take may have been carried out all the same."
PROXY_DOUBT = (
    "Comfy.org may or may not have bought it, and there it can't be looked up: see the usage in your Comfy "
    "account. Queue the same take once more to send it under the same idempotency key, which Comfy.org "
    "should answer with the same task or a conflict. Your own Kling key knows nothing of it: a run with that "
    "can be a second purchase."
)
CONFLICT = (
    "Comfy.org says that this take was bought before, or is under way. It is not bought again, and it "
    "can't be collected from here: see the usage in your Comfy account. Another number for take buys "
    "another version."
)
FORGOTTEN = (
    "Kling says that this take was bought before and has not shown it for the second time: it is older than "
    "what Kling keeps. Nothing was paid. Choose another number for take to make it anew."
)
IN_LINE = "Waiting in line: the takes before it go first"
SLOWER = "Asked to send more slowly, waiting"
_LATER = "Queue again later, or raise KLING_MAX_WAIT_MINUTES."
TOO_FAST = f"Requests were refused as too fast in all this time. {_LATER}"


def waiting(runner: str) -> str:
    """Return what a node shows while ``runner`` (see ``payer``) has no free slot."""
    return f"Waiting for a free slot: {runner} runs as many tasks as it may"


def no_slot(runner: str) -> str:
    """Return what is said where ``runner`` had no free slot for as long as the user would wait."""
    return f"{runner[0].upper()}{runner[1:]} had no free slot in all this time. {_LATER}"
