"""Limits on the connections of a listening port: how many, how many of one address, and for how long."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, cast

from process.rarely import Rarely


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds`: how long a connection may last; `refusal`: what one too many of an address is told."""

    total: int
    seconds: float
    per_address: int | None = None
    refusal: bytes = b""


class Door:
    """Makes the protocol of each connection that it admits: `loop.create_server(Door(...), host, port)`.

    When the port has as many connections as it may have, a new one ends the oldest: so idle connections do
    not keep out a client that has something to say. One too many of the same address is refused instead.
    `name` is the port's in the log.
    """

    def __init__(self, name: str, make: Callable[[], Any], limits: Limits) -> None:
        """`make` returns an asyncio.Protocol."""
        self.limits = limits
        self.make = make
        self._name = name
        self._guests: dict[_Guest, None] = {}  # by their arrival
        self._by_address: Counter[str] = Counter()
        self._log = Rarely()

    def __call__(self) -> asyncio.Protocol:
        return _Guest(self)

    def __len__(self) -> int:
        """How many connections count."""
        return len(self._guests)

    def keep(self, transport: asyncio.BaseTransport | None) -> None:
        """This connection has shown who it is: no limit holds for it any more."""
        for guest in [guest for guest in self._guests if guest.transport is transport]:
            guest.stay()

    def close(self) -> None:
        """End every connection that counts."""
        for guest in list(self._guests):
            guest.end()

    def admit(self, guest: "_Guest") -> bool:
        most = self.limits.per_address
        if most is not None and self._by_address[guest.address] >= most:
            self._warn("too many of one address", guest.address)
            return False
        if len(self._guests) >= self.limits.total:
            self._warn("too many", guest.address)
            next(iter(self._guests)).end()
        self._guests[guest] = None
        self._by_address[guest.address] += 1
        return True

    def overdue(self, guest: "_Guest") -> None:
        self._warn("too long", guest.address)
        guest.end()

    def forget(self, guest: "_Guest") -> None:
        if guest in self._guests:
            del self._guests[guest]
            self._by_address[guest.address] -= 1
            if not self._by_address[guest.address]:
                del self._by_address[guest.address]

    def _warn(self, why: str, address: str) -> None:
        self._log.warning("connection_ended", why, port=self._name, peer=address)


class _Guest(asyncio.Protocol):
    """One connection: passes on what happens to the protocol that was made for it, if one was."""

    transport: asyncio.Transport

    def __init__(self, door: Door) -> None:
        self.address = ""
        self._door = door
        self._inner: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """Count no longer, and be in nobody's way."""
        self._leave()
        if self._inner is not None:
            self.transport.set_protocol(self._inner)

    def end(self) -> None:
        """Tear it off: a peer that does not read must not keep it."""
        self._leave()
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.address = source_of(transport.get_extra_info("peername"))
        if not self._door.admit(self):
            self.transport.write(self._door.limits.refusal)
            self.transport.close()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._door.limits.seconds, self._door.overdue, self)
        self._inner = cast("asyncio.Protocol", self._door.make())
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def _leave(self) -> None:
        self._door.forget(self)
        if self._timer is not None:
            self._timer.cancel()


def source_of(peer: Any) -> str:
    """What counts as one address of a socket's peer: of IPv6 the /64, for a host has all of that."""
    try:
        address = plain_address(peer[0])
    except (TypeError, IndexError, ValueError):
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """An address without its zone; an IPv4 address that a socket of IPv6 shows is one of IPv4.

    Raises ValueError.
    """
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
