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
#: bytes of the answer; a token has some hundred
ANSWER_LIMIT = 65_536

_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


class TokenRenewal:
    """Renews the token of one credential at one address."""

    def __init__(self, credential: ComfyOrg, base_url: str, clock: Clock) -> None:
        """Begin; ``base_url`` is Comfy.org's own, without the proxy's path."""
        self._credential = credential
        self._address = base_url + RENEW_PATH
        self._clock = clock

    async def before(self) -> None:
        """Renew the token, where it ends soon."""
        claims = claims_of(self._credential.token)
        if claims is not None and claims["exp"] - self._clock.time() < RENEW_BEFORE:
            await self._renew(self._credential.token)

    async def after_refusal(self) -> bool:
        """Renew the token because it was refused; returns whether there is a new one."""
        return await self._renew(self._credential.token)

    async def _renew(self, token: str) -> bool:
        """Ask for a new token, once for all nodes that were given the same; returns whether there is one."""
        claims = claims_of(token)
        if claims is None:
            return False
        async with _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._credential.token != token:
                return True  # another node was faster
            fresh = await self._ask(token)
            renewed = claims_of(fresh) if fresh else None
            if fresh is None or renewed is None or renewed["sid"] != claims["sid"]:
                return False
            self._credential.renewed(fresh)
            return fresh != token

    async def _ask(self, token: str) -> str | None:
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
                    return None
                body = json.loads(await answer.content.read(ANSWER_LIMIT))
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError):
            return None
        found = body.get("token") if isinstance(body, dict) else None
        return found if isinstance(found, str) else None


def claims_of(token: str) -> dict[str, Any] | None:
    """Return the claims of a partner-node token, unverified; None for any other text.

    They only decide when to renew; Comfy.org itself looks at the signature.
    """
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        audience, session, end = claims["aud"], claims["sid"], claims["exp"]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError, binascii.Error):
        return None
    if audience not in (AUDIENCE, [AUDIENCE]) or not isinstance(session, str):
        return None
    return claims if isinstance(end, int | float) and not isinstance(end, bool) else None
