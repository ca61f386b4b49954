"""Whose account a run uses: the settings as they are now, and the studio that works on them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..apis.reporter import TakeReporter
from ..apis.settings import load_settings
from ..apis.studio import Studio
from ..apis.transport import in_own_thread
from . import host
from .inputs import model_table

#: what stands before everything shown where no money is real
SIMULATED = "Simulated · "


async def open_studio(comfy_token: str | None, comfy_api_key: str | None) -> Studio:
    """Read the settings as they are now and open the studio.

    Raises ConfigurationError or CredentialsError with the variable or file to change.
    """
    simulator_url = None
    if os.environ.get("KLING_BACKEND") == "simulator":
        from ..simulator import in_process

        own_models = host.user_dir() / "models.json"
        simulator_url = await in_own_thread(lambda: in_process.url(own_models))
    settings = load_settings(
        os.environ,
        host.user_dir(),
        comfy_token=comfy_token,
        comfy_api_key=comfy_api_key,
        comfy_api_base=host.comfy_api_base(),
        simulator_url=simulator_url,
    )
    return Studio.open(settings, model_table())


@asynccontextmanager
async def at_work(
    unique_id: str | None, comfy_token: str | None, comfy_api_key: str | None
) -> AsyncIterator[tuple[Studio, TakeReporter]]:
    """Open the studio for a node, and the line on which the node says how it is getting on."""
    with host.reporter(unique_id) as reporter:
        studio = await open_studio(comfy_token, comfy_api_key)
        reporter.prefix = SIMULATED if studio.context.simulated else ""
        reporter.say("Getting ready")
        yield studio, reporter
