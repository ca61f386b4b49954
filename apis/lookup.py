"""Looking for a task that may exist: free, and the only way to know what a lost create came to.

The invariant: "not there" is only what Kling itself has said. A lookup that fails raises OutcomeUnknown,
because not seeing is not knowing, and whoever takes it for "not there" buys twice.
"""

from __future__ import annotations

import random

from . import errors
from .context import Context
from .kling.dialects import DIALECTS, Dialect
from .kling.responses import PARAMETER_CODE, KlingTask
from .outcomes import is_passing
from .polling import backoff
from .status import Status

NEVER_TWICE = "Queue the same take again: it is looked up first and never bought twice."


class Lookup:
    """Looks for the tasks of one take."""

    def __init__(self, context: Context, product: str, dialect: Dialect, status: Status) -> None:
        """Begin; ``dialect`` is looked in first."""
        self.context = context
        self.product = product
        self.dialect = dialect
        self.status = status

    async def find(self, external_id: str) -> KlingTask | None:
        """Return the task under our id; None only where Kling has said that it has none.

        A lookup that fails in passing is repeated. One that fails for good, or too often, raises
        OutcomeUnknown, whatever failed: not seeing is not knowing.
        """
        tries = 0
        while True:
            try:
                return await self.context.api.find(self.dialect, self.product, external_id)
            except errors.ApiError as error:
                tries += 1
                if tries >= self.context.policy.read_tries or not is_passing(error):
                    raise errors.OutcomeUnknown(
                        f"{error.message} So it is not known whether this take was bought, and nothing more "
                        f"was sent. {NEVER_TWICE}",
                        external_task_id=external_id,
                        code=error.code,
                        request_id=error.request_id,
                        http_status=error.http_status,
                    ) from None
                await self.context.clock.sleep(backoff(tries, jitter=random.random()))

    async def find_existing(self, external_id: str) -> tuple[KlingTask, Dialect]:
        """Return the task that Kling says exists, and the dialect in which it was made.

        Raises OutcomeUnknown where it does not show it.
        """
        self.status.show("This take was bought before. Collecting it")
        credential = self.context.settings.credential.kind
        others = [
            other for other in DIALECTS.values() if other is not self.dialect and other.takes(credential)
        ]
        for pause in self.context.policy.exists_delays:
            await self.context.clock.sleep(pause)
            found = await self.find(external_id)
            if found is not None:
                return found, self.dialect
            for other in others:
                try:
                    found = await self.context.api.find(other, self.product, external_id)
                except errors.ApiError:
                    continue
                if found is not None:
                    return found, other
        raise errors.OutcomeUnknown(
            "Kling says that this take was bought before and does not show it yet. Nothing more was sent. "
            "Queue the same take again in a few minutes to collect it.",
            external_task_id=external_id,
        )

    async def made_before(self, external_id: str | None, refusal: errors.RequestRefused) -> KlingTask | None:
        """Return the task whose existence may be all that a refusal in unknown words means."""
        if external_id is None or refusal.code != PARAMETER_CODE:
            return None
        try:
            return await self.context.api.find(self.dialect, self.product, external_id)
        except errors.ApiError:
            return None
