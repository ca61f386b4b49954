"""How bytes get to a host: the session of a loop, its lookup of names, the proxy on the way."""

from .proxies import proxy_for
from .session import open_session
from .threads import in_own_thread

__all__ = ["in_own_thread", "open_session", "proxy_for"]
