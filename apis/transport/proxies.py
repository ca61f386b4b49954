"""The proxy on the way to a host, as the environment names it.

aiohttp's own ``trust_env`` does this too, and it also reads the user's netrc file: an entry for the host, or
a ``default`` one, then replaces our Authorization header or is refused beside it, and a password meant for
something else goes to the CDN. So the proxy is looked up here and given to each request.
"""

from __future__ import annotations

import urllib.request

from yarl import URL

from .threads import in_own_thread


async def proxy_for(url: URL) -> URL | None:
    """Return the proxy, login included, for a request to ``url``; None for a direct one.

    Reads http_proxy, https_proxy and no_proxy (and what Windows and macOS keep in their settings). A proxy
    that aiohttp can't use, such as SOCKS, counts as none.
    """
    found = urllib.request.getproxies().get(url.scheme, "")
    if not found:
        return None
    # Windows and macOS may look the host up here, which can hang.
    if await in_own_thread(lambda: urllib.request.proxy_bypass(url.host or "")):
        return None
    try:
        proxy = URL(found if "://" in found else f"http://{found}")
    except ValueError:
        return None
    return proxy if proxy.scheme in ("http", "https") and proxy.host else None
