"""Looking up a host's addresses without ever holding up the loop or its end.

aiohttp's own resolver asks in the loop's executor, which is waited for when the loop ends. A name server that
does not answer would so delay ComfyUI's next prompt after Cancel.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from .threads import in_own_thread

_NUMERIC_NAME = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class Resolver(AbstractResolver):
    """The system's own lookup, in a thread that nothing waits for."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; raises OSError where it has none."""
        return await in_own_thread(lambda: _looked_up(host, port, family))

    async def close(self) -> None:
        """Nothing is held."""


def _looked_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        try:
            found = _ask(host, port, family, socket.AI_ADDRCONFIG)
        except socket.gaierror:
            # Without a network, AI_ADDRCONFIG hides even this computer from Windows.
            if host.rstrip(".").casefold() != "localhost":
                raise
            found = _ask(host, port, family, 0)
    except UnicodeError:  # a label that is empty or too long
        raise OSError("that is not a host's name") from None
    return [
        ResolveResult(
            hostname=host,
            host=_numeric(address),
            port=address[1],
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _type, proto, _name, address in found
        if kind == socket.AF_INET or len(address) == 4  # a Python without IPv6 gives raw bytes
    ]


def _ask(host: str, port: int, family: socket.AddressFamily, flags: int) -> Sequence[Any]:
    return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)


def _numeric(address: tuple[Any, ...]) -> str:
    """Return the address as text, with the interface where it is good on one only."""
    if len(address) == 4 and address[3]:
        return socket.getnameinfo(address, _NUMERIC_NAME)[0]
    return str(address[0])
