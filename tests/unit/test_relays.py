"""Whose report of arrival counts."""

import asyncio
from ipaddress import ip_network

import pytest

from mailer.relays import Relays


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the test's DNS says: a name's addresses."""
    known: dict[str, list[str]] = {}

    async def getaddrinfo(_loop: object, host: str, *_: object, **__: object) -> list[object]:
        if host not in known:
            raise OSError("no such name")
        return [(None, None, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return known


async def test_unless_told_otherwise_the_smarthost_is_trusted_and_nobody_else(
    names: dict[str, list[str]],
) -> None:
    names["smtp.provider.example"] = ["192.0.2.25", "2001:db8::25"]
    relays = Relays(None, "smtp.provider.example")
    assert await relays.trust("192.0.2.25")
    assert await relays.trust("::ffff:192.0.2.25"), "as a socket of IPv6 shows it"
    assert await relays.trust("2001:db8::25")
    assert not await relays.trust("192.0.2.26")


async def test_a_smarthost_whose_name_has_no_address_is_not_trusted(names: dict[str, list[str]]) -> None:
    assert names == {}
    assert not await Relays(None, "smtp.provider.example").trust("192.0.2.25")


async def test_without_a_smarthost_nobody_is_trusted() -> None:
    assert not await Relays(None, None).trust("127.0.0.1")


async def test_a_list_is_all_that_counts_where_there_is_one(names: dict[str, list[str]]) -> None:
    names["smtp.provider.example"] = ["192.0.2.25"]
    relays = Relays({ip_network("198.51.100.0/24")}, "smtp.provider.example")
    assert await relays.trust("198.51.100.7")
    assert not await relays.trust("192.0.2.25")
    assert not await Relays(frozenset(), "smtp.provider.example").trust("192.0.2.25")


@pytest.mark.parametrize("peer", ["", "localhost", "/run/socket"])
async def test_what_is_not_an_address_is_not_trusted(peer: str) -> None:
    assert not await Relays({ip_network("0.0.0.0/0")}, None).trust(peer)
