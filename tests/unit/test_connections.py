"""The door of a listening port: who is let in, who has to leave, and who may stay."""

import asyncio
from typing import Any

import pytest

from process.connections import Door, Limits, source_of

pytestmark = pytest.mark.looptime


class Inner(asyncio.Protocol):
    """What is made for a connection that was admitted: keeps what happens to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen.append("made")

    def data_received(self, data: bytes) -> None:
        self.seen.append(data.decode())

    def eof_received(self) -> bool | None:
        self.seen.append("eof")
        return True

    def pause_writing(self) -> None:
        self.seen.append("pause")

    def resume_writing(self) -> None:
        self.seen.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append("lost")


class Connection(asyncio.Transport):
    """A client's connection, as the loop shows it to a protocol."""

    def __init__(self, door: Door, address: str) -> None:
        super().__init__({"peername": (address, 40000)})
        self.written = b""
        self.open = True
        self.protocol: Any = door()
        self.protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self.open:
            self.open = False
            self.protocol.connection_lost(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class House:
    """A port with a door: `made` are the protocols of the connections that came in."""

    def __init__(self, **limits: Any) -> None:
        self.made: list[Inner] = []
        self.door = Door("test", self._make, Limits(**{"total": 3, "seconds": 10.0, **limits}))

    def comes(self, address: str = "192.0.2.1") -> Connection:
        return Connection(self.door, address)

    def _make(self) -> Inner:
        self.made.append(Inner())
        return self.made[-1]


async def test_a_protocol_behind_the_door_sees_all_that_happens() -> None:
    house = House()
    connection = house.comes()
    connection.protocol.data_received(b"hello")
    connection.protocol.pause_writing()
    connection.protocol.resume_writing()
    assert connection.protocol.eof_received() is True
    connection.abort()
    assert house.made[0].seen == ["made", "hello", "pause", "resume", "eof", "lost"]
    assert len(house.door) == 0


async def test_one_too_many_ends_the_oldest() -> None:
    house = House()
    first, second, *_ = [house.comes() for _ in range(4)]
    assert not first.open
    assert second.open
    assert len(house.door) == 3


async def test_one_too_many_of_an_address_is_refused_and_told_so() -> None:
    house = House(total=9, per_address=2, refusal=b"421 too many\r\n")
    connections = [house.comes() for _ in range(3)]
    assert [it.open for it in connections] == [True, True, False]
    assert connections[2].written == b"421 too many\r\n"
    assert len(house.made) == 2, "no work is done for it"
    assert house.comes("192.0.2.2").open, "another address has connections of its own"


async def test_an_address_that_has_left_may_come_again() -> None:
    house = House(per_address=1)
    for _ in range(5):
        connection = house.comes()
        assert connection.open
        connection.abort()


async def test_the_oldest_that_was_ended_no_longer_counts_for_its_address() -> None:
    house = House(total=2, per_address=1)
    addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"]
    assert [it.open for it in [house.comes(address) for address in addresses]] == [False, False, True, True]


async def test_a_connection_ends_after_its_time_whatever_it_says() -> None:
    house = House()
    connection = house.comes()
    for _ in range(9):
        await asyncio.sleep(1)
        connection.protocol.data_received(b"x")
    assert connection.open
    await asyncio.sleep(1.1)
    assert not connection.open


async def test_who_has_shown_who_it_is_stays_and_does_not_count() -> None:
    house = House()
    known = house.comes()
    house.door.exempt(known)
    for _ in range(5):
        house.comes()
    await asyncio.sleep(60)
    assert known.open
    known.protocol.data_received(b"hello")
    known.abort()
    assert house.made[0].seen == ["made", "hello", "lost"]


async def test_closing_the_door_ends_all() -> None:
    house = House()
    connections = [house.comes() for _ in range(3)]
    house.door.close()
    assert [it.open for it in connections] == [False] * 3


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1, 0, 0), "192.0.2.1"),
        (("2001:db8::1:2", 1, 0, 0), "2001:db8::/64"),
        (("2001:db8::ffff:1", 1, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 1, 0, 0), "fe80::/64"),
        ("", ""),
        (None, ""),
    ],
)
async def test_what_counts_as_one_address(peer: object, source: str) -> None:
    assert source_of(peer) == source
