"""Keeping a sign-in at Comfy.org good while a node waits.

Since ComfyUI 0.45 the token that a node is given may be a short-lived one for partner nodes: a JWT with the
audience ``comfy-partner-node``. Comfy.org gives a fresh one for it at ``/auth/partner-node/renew`` (read in
ComfyUI's own client, 2026-11). Any other credential is left as it is.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
import re
import weakref
from typing import Any

import aiohttp
from yarl import URL

from .clock import Clock
from .credentials import ComfyOrg
from .transport import open_session, proxy_for

AUDIENCE = "comfy-partner-node"
RENEW_PATH = "/auth/partner-node/renew"
#: seconds left at which a token is renewed
RENEW_BEFORE = 300.0
#: seconds for the renewal; a node goes on with the old token when it fails
PATIENCE = 30.0
#: seconds for which a token that could not be renewed is used as it is: each node asks before each poll
TRY_AGAIN = 60.0
#: bytes of the answer; a token has some hundred
ANSWER_LIMIT = 65_536

#: a JWT, and nothing that could not stand in a header
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.(?P<claims>[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
#: when each token could not be renewed for the last time
_failed: dict[str, float] = {}


class TokenRenewal:
    """Renews the token of one credential at one address."""

    def __init__(self, credential: ComfyOrg, base_url: str, clock: Clock) -> None:
        """Begin; ``base_url`` is Comfy.org's own, without the proxy's path."""
        self._credential = credential
        self._address = base_url + RENEW_PATH
        self._clock = clock

    async def before(self) -> str:
        """Renew the token, where it ends soon; returns the one that is in use now."""
        token = self._credential.token
        claims = claims_of(token)
        if claims is not None and claims["exp"] - self._clock.time() < RENEW_BEFORE:
            await self._renew(token, since=self._clock.monotonic() - TRY_AGAIN)
        return self._credential.token

    async def after_refusal(self, token: str) -> bool:
        """Renew the token because it was refused; returns whether there is a new one."""
        return await self._renew(token, since=self._clock.monotonic())

    async def _renew(self, token: str, since: float) -> bool:
        """Ask for a new token, once for all nodes that were given the same; returns whether there is one.

        Where another node's try has failed after ``since``, that is the answer.
        """
        claims = claims_of(token)
        if claims is None:
            return False
        async with _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._credential.token != token:
                return True  # another node was faster
            if _failed.get(token, -math.inf) >= since:
                return False
            fresh = await self._ask(token)
            renewed = claims_of(fresh)
            if fresh == token or renewed is None or renewed["sid"] != claims["sid"]:
                _failed[token] = self._clock.monotonic()
                return False
            self._credential.renewed(fresh)
            return True

    async def _ask(self, token: str) -> str:
        """Return what Comfy.org gives for the token; nothing where it gives none."""
        try:
            async with (
                open_session() as session,
                session.post(
                    self._address,
                    headers={"Authorization": f"Bearer {token}"},
                    proxy=await proxy_for(URL(self._address)),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=PATIENCE),
                ) as answer,
            ):
                if answer.status != 200:
                    return ""
                raw = b""
                while len(raw) < ANSWER_LIMIT and (more := await answer.content.readany()):
                    raw += more
                body = json.loads(raw)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError, RecursionError):
            return ""
        found = body.get("token") if isinstance(body, dict) else None
        return found if isinstance(found, str) else ""


def claims_of(token: str) -> dict[str, Any] | None:
    """Return the claims of a partner-node token, unverified, ``exp`` as a float; None for any other text.

    They only decide when to renew; Comfy.org itself looks at the signature.
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    part = found["claims"]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        audience, session, end = claims["aud"], claims["sid"], claims["exp"]
        if isinstance(end, bool) or not isinstance(end, int | float):
            return None
        claims["exp"] = float(end)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, binascii.Error):
        return None
    return claims if audience in (AUDIENCE, [AUDIENCE]) and isinstance(session, str) else None
