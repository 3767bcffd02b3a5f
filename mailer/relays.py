"""Which mail servers are trusted when they report that a mail has arrived."""

import asyncio
import socket
import time
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from process.connections import plain_address

RESOLVE_SECONDS = 5.0
REMEMBER_SECONDS = 60.0
Network = IPv4Network | IPv6Network


class Relays:
    """Trusts the addresses in `networks`; if that is None, the addresses of the smarthost's name."""

    def __init__(self, networks: Collection[Network] | None, smarthost: str | None) -> None:
        self._networks = networks
        self._smarthost = smarthost
        self._addresses: frozenset[IPv4Address | IPv6Address] = frozenset()
        self._until = 0.0

    async def trust(self, peer: str) -> bool:
        """Whether the relay at this address is trusted."""
        try:
            address = plain_address(peer)
        except ValueError:
            return False
        if self._networks is not None:
            return any(address in network for network in self._networks)
        return address in await self._of_smarthost()

    async def _of_smarthost(self) -> frozenset[IPv4Address | IPv6Address]:
        """Empty while the name cannot be resolved: then the bounce window decides."""
        if self._smarthost and time.monotonic() >= self._until:
            self._addresses = await _resolved(self._smarthost)
            self._until = time.monotonic() + REMEMBER_SECONDS
        return self._addresses


async def _resolved(host: str) -> frozenset[IPv4Address | IPv6Address]:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return frozenset()
    return frozenset(plain_address(str(answer[4][0])) for answer in answers)
