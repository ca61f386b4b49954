"""What counts as spent, and the user's own limit for a day. Pure; the rows are the journal's."""

from __future__ import annotations

from .. import errors

#: Every create that was or may have been carried out counts, except the row about to be written itself. What
#: Kling took counts instead of the estimate, but never a zero, because it may have taken what we can't read,
#: and no part of it where the rest is in a currency that we can't add. A task that failed counts where it was
#: billed.
SPENT = """
    SELECT COALESCE(SUM(CASE WHEN spent_usd > 0 THEN spent_usd
                             WHEN deducted_units > 0 AND estimated_units > 0
                                  AND NOT COALESCE(deducted_cash, 0) > 0
                             THEN deducted_units * estimated_usd / estimated_units
                             ELSE COALESCE(estimated_usd, 0) END), 0)
    FROM tasks
    WHERE practice = ? AND prepared_at >= ? AND adopted = 0
      AND (state NOT IN ('refused', 'failed')
           OR (state = 'failed' AND (deducted_units > 0 OR deducted_cash > 0)))
      AND NOT (account = ? AND take = ? AND attempt = ?)
"""


def refuse_beyond(limit: float, spent: float, price: float | None) -> None:
    """Raise SpendingLimitReached where ``spent`` and ``price`` pass the day's ``limit``; all in USD."""
    if price is None:
        raise errors.SpendingLimitReached(
            "KLING_MAX_USD_PER_DAY is set, and this model has no price in the model table, so the limit "
            "can't be kept. Add the price to your models.json, or choose another model_name. Nothing was "
            "sent."
        )
    if spent + price > limit + 1e-9:
        raise errors.SpendingLimitReached(
            f"This take costs about ${price:.2f}, and ${spent:.2f} of today's ${limit:.2f} are spent "
            "(KLING_MAX_USD_PER_DAY). Nothing was sent. Raise the limit or go on tomorrow; collecting takes "
            "that are already paid for costs nothing."
        )
