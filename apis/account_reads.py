"""Questions about the account itself: free, and one a second for everybody who asks."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from . import errors
from .context import Context
from .kling import billing
from .kling.endpoint import ApiEndpoint

#: seconds between two questions: Kling allows one a second (Kling docs, 2026-09-20)
ACCOUNT_PAUSE = 1.1
#: tries of a question that Kling asks to put more slowly: another computer may ask in the same second
TRIES = 4

_asked: dict[str, float] = {}


async def ask(context: Context, endpoint: ApiEndpoint[Any, Any], question: BaseModel | None = None) -> Any:
    """Ask about the account when its turn has come, and return the parsed answer."""
    for _ in range(TRIES - 1):
        with suppress(errors.Throttled):
            return await _ask_once(context, endpoint, question)
    return await _ask_once(context, endpoint, question)


async def _ask_once(context: Context, endpoint: ApiEndpoint[Any, Any], question: BaseModel | None) -> Any:
    key, clock = context.settings.account, context.clock
    # Each caller books the next free moment before it waits, so that several at once stay apart.
    now = clock.monotonic()
    moment = max(now, _asked.get(key, now - ACCOUNT_PAUSE) + ACCOUNT_PAUSE)
    _asked[key] = moment
    await clock.sleep(moment - now)
    return await context.api.read(endpoint, question)


async def read_bill(context: Context, which: str, start: float, end: float) -> list[billing.BillEntry]:
    """Return one list of the bill, all pages, for the tasks made between two times in Unix seconds.

    Raises what a read can raise, and ApiError for an answer that says nothing, or whose pages have no end.
    """
    endpoint = billing.asked_for(which)
    question: billing.BillQuestion | None = billing.first_page(start, end)
    found: list[billing.BillEntry] = []
    asked = set()
    while question is not None:
        if question in asked:
            raise errors.ApiError("Kling's list of deductions comes round to where it was.")
        asked.add(question)
        reply = await ask(context, endpoint, question)
        found += billing.entries_in(reply)
        try:
            question = billing.next_page(reply)
        except ValueError as error:
            raise errors.ApiError(str(error)) from None
    return found
