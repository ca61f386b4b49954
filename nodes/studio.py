"""What a node needs from ``apis`` for one run: the account, the price in words, the limits of pictures."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from ..apis.collect import Delivered
from ..apis.errors import CredentialsError
from ..apis.kling import camera, dialects, price, rules
from ..apis.kling.models import Dialect, Limits, ModelTable
from ..apis.kling.requests import VideoRequest
from ..apis.settings import Settings, load_settings
from ..apis.studio import Studio
from . import host, simulator


@dataclass(frozen=True)
class Account:
    """Whose account this run uses, and the studio that works on it."""

    settings: Settings
    studio: Studio

    @property
    def mark(self) -> str:
        """What stands before everything shown in practice, where no money is real; else nothing."""
        return "Simulated · " if self.settings.backend == "simulator" else ""


async def open_studio(table: ModelTable, comfy_token: str | None, comfy_api_key: str | None) -> Account:
    """Read the settings as they are now and open the studio.

    Raises ConfigurationError or CredentialsError with the variable or file to change.
    """
    simulator_url = None
    if simulator.wanted(os.environ):
        simulator_url = await asyncio.to_thread(simulator.url)
    settings = load_settings(
        os.environ,
        host.user_dir(),
        comfy_token=comfy_token,
        comfy_api_key=comfy_api_key,
        comfy_api_base=host.comfy_api_base(),
        simulator_url=simulator_url,
    )
    return Account(settings, Studio(settings, table))


def dialect_of(model_name: str, table: ModelTable, account: Account) -> Dialect | None:
    """The dialect in which this account reaches the model; None for a model the table doesn't know.

    Raises CredentialsError when the credential can't reach it.
    """
    spec = table.get(model_name)
    if spec is None:
        return None
    try:
        return dialects.name_for(spec, account.settings.credential.kind)
    except ValueError as error:
        raise CredentialsError(str(error)) from error


def image_limits(model_name: str, table: ModelTable, account: Account) -> Limits:
    """How large a picture for this model may be."""
    return table.limits[dialect_of(model_name, table, account) or "legacy"]


def notes(request: VideoRequest, table: ModelTable, account: Account) -> list[str]:
    """What an artist should know before the take is bought: the price first, then everything unusual."""
    dialect = dialect_of(request.model_name, table, account)
    found = [
        price_text(request, table),
        table.warning or "",
        *rules.warnings(request, table, dialect),
        camera.resolve(request, table, dialect).note,
    ]
    return [note for note in found if note]


def _trimmed(seconds: str) -> str:
    """Kling's "5.000" as "5"; anything that is no number as it is."""
    try:
        return f"{float(seconds):g}"
    except ValueError:
        return seconds or "?"


def price_text(request: VideoRequest, table: ModelTable) -> str:
    """The estimated price in a sentence."""
    estimate = price.estimate(request, table)
    if estimate is None:
        return f"The price of {request.model_name} in this setting is not in the model table."
    return f"Estimated price: {estimate}."


def closing_text(delivered: Delivered) -> str:
    """The last line on the node: what it cost, or that nothing was paid."""
    what = f"{_trimmed(delivered.duration)} s of video, task {delivered.task_id}."
    if delivered.collected:
        return f"Collected, nothing paid: {what}"
    if delivered.deducted_units is None:
        return f"Delivered: {what}"
    return f"Delivered: {what} Kling deducted {delivered.deducted_units:g} units."
