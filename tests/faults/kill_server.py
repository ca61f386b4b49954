"""A process that has everything imported and starts one run after another by fork, to be killed.

Reads one JSON order a line from standard input, runs it in a child of its own, and answers with one line:
how the child ended. An order names the take, the point at which the child kills itself with SIGKILL
(``die_at``), or the seconds after which it is killed from outside (``kill_after``). POSIX only.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from kling_takes.apis import errors
from kling_takes.apis.client import Timeouts
from kling_takes.apis.context import Policy
from kling_takes.apis.follower import Delivered
from kling_takes.apis.journal import Journal
from kling_takes.apis.settings import load_settings
from kling_takes.apis.studio import Studio
from kling_takes.simulator.state import SIMULATOR_KEY
from kling_takes.tests.builders import TABLE, text_request

#: exit codes of a child that was not killed
DELIVERED, TOLD_AN_ERROR = 0, 3
#: seconds after which a child hangs
PATIENCE = 30.0
#: real seconds for a second of waiting
PACE = 0.02

POLICY = Policy(timeouts=Timeouts(connect=2.0, read=2.0, whole=5.0))


class QuickClock:
    """The computer's time, with short sleeps."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * PACE)


class Deaf:
    """Nobody watches."""

    def state(self, text: str, elapsed: float, expected: float | None) -> None:
        """Show nothing."""

    def warn(self, text: str) -> None:
        """Show nothing."""


async def one_take(url: str, folder: Path, prompt: str) -> Delivered:
    """Run the take of a folder once: its journal and its files are in there."""
    journal = Journal(folder / "journal.sqlite3")
    settings = load_settings({"KLING_API_KEY": SIMULATOR_KEY, "KLING_API_BASE": url}, folder)
    studio = Studio.open(settings, TABLE, journal, clock=QuickClock(), policy=POLICY)
    try:
        plan = studio.plan(text_request(prompt=prompt), 0)
        return await studio.take(plan, files=folder / "files", reporter=Deaf())
    finally:
        journal.close()


def _live(order: dict[str, Any]) -> int:
    from .kill_points import Points

    log = Path(order["log"]) if order.get("log") else None
    die_at = order.get("die_at")
    Points(None if die_at is None else (die_at[0], die_at[1]), log).install()
    try:
        asyncio.run(one_take(order["url"], Path(order["folder"]), order["prompt"]))
    except errors.KlingTakesError:
        return TOLD_AN_ERROR
    return DELIVERED


def _serve(order: dict[str, Any]) -> dict[str, Any]:
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _live(order)
        finally:
            os._exit(code)
    kill_after = order.get("kill_after")
    sent = False
    while True:
        gone, status = os.waitpid(child, os.WNOHANG)
        lived = time.monotonic() - begun
        if gone:
            break
        if not sent and (lived > PATIENCE or (kill_after is not None and lived >= kill_after)):
            os.kill(child, signal.SIGKILL)
            sent = True
        time.sleep(0.0003)
    signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return {"signal": signalled, "code": code, "lived": lived, "hung": lived > PATIENCE}


def main(argv: list[str]) -> int:
    """Serve orders until standard input ends."""
    del argv
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), flush=True)
    return 0
