"""One aiohttp session per running event loop, closed with its last user.

ComfyUI runs every prompt in an event loop of its own, and a session made in one prompt is dead in the next.
So a session belongs to its loop, is shared by all nodes that run at once, and ends with the last of them.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from .dns import Resolver


@dataclass
class _Shared:
    session: aiohttp.ClientSession
    users: int = 0


_sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return the running loop's session; the last one to leave closes it.

    It keeps no cookies and sends no header that the caller did not give. Proxies of the environment are named
    with each request: aiohttp's own ``trust_env`` would also read the user's netrc file, which can put
    another password in the key's place.
    """
    loop = asyncio.get_running_loop()
    shared = _sessions.get(loop)
    if shared is None:
        shared = _Shared(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10.0, resolver=Resolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        _sessions[loop] = shared
    shared.users += 1
    try:
        yield shared.session
    finally:
        shared.users -= 1
        if shared.users == 0:
            del _sessions[loop]
            await shared.session.close()
