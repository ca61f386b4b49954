"""Who pays, in words, and the refusal to let another account pay for what one has paid. Pure."""

from __future__ import annotations

from .errors import BoughtElsewhere
from .journal import OPEN_STATES, Row


def account_in_words(account: str) -> str:
    """Return what an account of ``Settings`` is to its user: ``your Kling key, global``."""
    place, _, fingerprint = account.partition("#")
    if account.startswith("kling:"):
        return f"your Kling key, {account.partition(':')[2]}"
    if place == "comfy.org":
        return "your Comfy.org account"
    return f"the gateway {place}" if fingerprint else place


def runner_in_words(account: str, *, simulated: bool) -> str:
    """Return whose number of tasks at once is what an account has to wait for."""
    if simulated:
        return "the simulator"
    if account.startswith("kling:"):
        return "your Kling account"
    return "Comfy.org" if account.startswith("comfy.org#") else account_in_words(account)


def bought_elsewhere(row: Row, account: str) -> BoughtElsewhere:
    """Return the refusal of a take that another account has paid for, or may have."""
    there, here = account_in_words(row.account), account_in_words(account)
    if there == here:
        there = f"another account of that kind ({there}, with other credentials)"
    did = "may have been" if row.state in OPEN_STATES else "was"
    return BoughtElsewhere(
        f"take: this take {did} paid by {there}, and this run would pay by {here}. Nothing was sent. "
        f"To collect it, go back to the account that paid: {_way_back(row.account)}, and restart ComfyUI. "
        "To buy it here as well, choose another number for take.",
        task_id=row.task_id,
        external_task_id=row.external_task_id,
    )


def _way_back(account: str) -> str:
    """Return what to set so that an account pays again."""
    place = account.partition("#")[0]
    if account.startswith("kling:"):
        region = account.partition(":")[2]
        return f"set KLING_API_KEY and KLING_REGION={region}, and no KLING_API_BASE"
    if place == "comfy.org":
        return "sign in to Comfy.org as you were then, and set no Kling key"
    return f"set KLING_API_BASE to {place} and the key that you had for it"
