"""Limits on a listening port: connections in total, of one address, and their duration."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, cast

from process.rarely import Rarely


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds`: the longest duration of a connection. `refusal`: sent to an address with too many."""

    total: int
    seconds: float
    per_address: int | None = None
    refusal: bytes = b""


class Door:
    """Creates a protocol for each connection that it admits: `loop.create_server(Door(...), host, port)`.

    At the total limit a new connection ends the oldest, so that idle connections cannot lock out a client. A
    connection above the limit of its address is refused instead. `name` is the port's name in the log.
    """

    def __init__(self, name: str, make: Callable[[], Any], limits: Limits) -> None:
        """`make` returns an asyncio.Protocol."""
        self.limits = limits
        self.make = make
        self._name = name
        self._guests: dict[_Guest, None] = {}  # oldest first
        self._by_address: Counter[str] = Counter()
        self._log = Rarely()

    def __call__(self) -> asyncio.Protocol:
        return _Guest(self)

    def __len__(self) -> int:
        """The number of connections that the limits count."""
        return len(self._guests)

    def exempt(self, transport: asyncio.BaseTransport | None) -> None:
        """Exempt this connection from the limits: its peer has logged in."""
        for guest in [guest for guest in self._guests if guest.transport is transport]:
            guest.stay()

    def close(self) -> None:
        """End every connection that the limits count."""
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
    """One connection; forwards its events to the protocol made for it, if it was admitted."""

    transport: asyncio.Transport

    def __init__(self, door: Door) -> None:
        self.address = ""
        self._door = door
        self._inner: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """Leave the limits, and hand the transport to the inner protocol."""
        self._leave()
        if self._inner is not None:
            self.transport.set_protocol(self._inner)

    def end(self) -> None:
        """Abort the connection: closing would wait for a peer that does not read."""
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
    """The peer's address for the limits; for IPv6 its /64, because a host owns all of it."""
    try:
        address = plain_address(peer[0])
    except (TypeError, IndexError, ValueError):
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """The address without a zone; an IPv4-mapped IPv6 address becomes an IPv4 address.

    Raises ValueError.
    """
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
