"""What many tests start from, with a word for whatever a test wants different."""

from __future__ import annotations

from typing import Any

from kling_takes.apis.journal import Journal, Purchase, Row


def purchase(take: str = "t1", **changes: Any) -> Purchase:
    """A purchase of 2.5 units, 0.35 USD, on the account ``kling:global``."""
    plain: dict[str, Any] = {
        "account": "kling:global",
        "take": take,
        "attempt": 1,
        "external_task_id": "kt-1",
        "practice": False,
        "product": "text2video",
        "dialect": "legacy",
        "model": "kling-v2-6",
        "kind": "k",
        "estimated_units": 2.5,
        "estimated_usd": 0.35,
    }
    return Purchase(**{**plain, **changes})


def prepare(journal: Journal, bought: Purchase | None = None, now: float = 1000.0, **options: Any) -> Row:
    """The row of a create that is about to leave."""
    return journal.prepare(bought or purchase(), now=now, day_start=0.0, **options)
