"""Whose account a run uses: the settings as they are now, and the studio that works on them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from ..apis.kling.models import ModelTable
from ..apis.settings import load_settings
from ..apis.studio import Studio
from . import host, simulator


@dataclass(frozen=True)
class OpenAccount:
    """The studio of an account, and what stands before everything that it shows."""

    studio: Studio

    @property
    def prefix(self) -> str:
        """What stands before everything shown where no money is real; else nothing."""
        return "Simulated · " if self.studio.context.simulated else ""


async def open_account(table: ModelTable, comfy_token: str | None, comfy_api_key: str | None) -> OpenAccount:
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
    return OpenAccount(Studio.open(settings, table))
