"""Calls with a carrier over UDP, TCP, and TLS with SRTP: baresip of Debian's archive at both ends.

Needs a download of 5 MB the first time (scripts/fetch-baresip.sh), so these tests are heavy.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from devkit.audio import RATE, Samples, levels
from tests.live.agreed import new_destination
from tests.live.baresip_telephone import Telephone, Wanted, telephone
from tests.live.carriers import Trunking, trunking
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Watched, watching
from tests.tiers import heavy

LOUDNESS = 0.3  # of the telephones' tones
TRANSPORTS = ("udp", "tcp", "tls")
DOMAIN = "127.0.0.1"  # this telephone takes calls for its host only

pytestmark = heavy


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("transports")) as running:
        yield running


@pytest.fixture
async def watched(carriers: Trunking) -> AsyncIterator[Watched]:
    async with watching(carriers.house) as seen:
        yield seen


def wanted(carriers: Trunking, hz: int, transport: str, *, answers: bool = False) -> Wanted:
    made = carriers.certificates
    return Wanted(hz, transport, transport == "tls", answers, made.chain, made.authorities)


def trunk_of(destination: Telephone, transport: str) -> dict[str, Any]:
    """The file of the carrier that this telephone is."""
    srtp = transport == "tls"
    return {"host": destination.address, "transport": transport, "srtp": srtp, "qualify_seconds": 0}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_both_hear_each_other_over_each_transport(
    carriers: Trunking, watched: Watched, tmp_path: Path, transport: str
) -> None:
    """TLS means SRTP here: each telephone refuses a call without."""
    (number,) = carriers.house.agree([{"ring": (to := new_destination())}])
    async with (
        telephone(tmp_path / "caller", wanted(carriers, CALLER_HZ, transport)) as caller,
        telephone(tmp_path / "to", wanted(carriers, DESTINATION_HZ, transport, answers=True)) as destination,
    ):
        await carriers.have(trunk=trunk_of(destination, transport))
        await talk(caller, destination, carriers.uri(number, transport))
        encrypted = [event["param"] for event in caller.events + destination.events if is_encrypted(event)]
        assert len(encrypted) == (2 if transport == "tls" else 0), encrypted
    record = await watched.record(number)
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", to, "caller")
    assert [leg.trunk for leg in record.legs] == ["trunk"]


async def talk(caller: Telephone, destination: Telephone, uri: str) -> None:
    """A call of two seconds, in which each has heard the other, and nothing else."""
    await caller.dial(uri)
    await destination.happened("CALL_ESTABLISHED")
    await caller.happened("CALL_ESTABLISHED")
    await asyncio.gather(caller.hears(2), destination.hears(2))
    await caller.hang_up()
    await destination.happened("CALL_CLOSED")
    heard = [(await caller.heard(), DESTINATION_HZ, CALLER_HZ)]
    heard += [(await destination.heard(), CALLER_HZ, DESTINATION_HZ)]
    for sound, of_other, of_own in heard:
        assert abs(loudest(sound, of_other) - LOUDNESS) < 0.03
        assert loudest(sound, of_own) < 0.03


def loudest(sound: Samples, hz: float) -> float:
    """The level of the tone in that 0.4 s where it is loudest: a busy machine leaves gaps in others."""
    return max(levels(sound, hz, 0.4))


def is_encrypted(event: dict[str, str]) -> bool:
    return event["type"] == "CALL_MENC" and "AES" in event["param"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_keys_lead_into_a_menu_and_the_destination_hangs_up(
    carriers: Trunking, watched: Watched, tmp_path: Path, transport: str
) -> None:
    """Keys are telephone events (RFC 4733). Asterisk's BYE reaches the caller over its own transport."""
    route = [{"menu": {"prompt": "long", "keys": {"12": [{"ring": (to := new_destination())}]}}}]
    (number,) = carriers.house.agree(route)
    async with (
        telephone(tmp_path / "caller", wanted(carriers, CALLER_HZ, transport)) as caller,
        telephone(tmp_path / "to", wanted(carriers, DESTINATION_HZ, transport, answers=True)) as destination,
    ):
        await carriers.have(trunk=trunk_of(destination, transport))
        await caller.dial(carriers.uri(number, transport))
        await caller.hears(0.5)
        await caller.press("12")
        await destination.happened("CALL_ESTABLISHED")
        await asyncio.gather(caller.hears(2), destination.hears(2))
        await destination.hang_up()
        await caller.happened("CALL_CLOSED")
        for one, hz in ((caller, DESTINATION_HZ), (destination, CALLER_HZ)):
            assert abs(loudest((await one.heard())[-2 * RATE :], hz) - LOUDNESS) < 0.03
    record = await watched.record(number)
    assert (record.outcome, record.delivered_to, record.ended_by) == ("answered", to, "destination")
    assert record.choices == ("12",)


# Last: a routing folder that has an address is refused as soon as the trunk of its domain is gone.


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_sip_address_is_reached_over_the_transport_of_its_trunk(
    carriers: Trunking, watched: Watched, tmp_path: Path, transport: str
) -> None:
    """At the port of `host`, which the address does not have, and with the certificate of `host`."""
    async with (
        telephone(tmp_path / "caller", wanted(carriers, CALLER_HZ, "udp")) as caller,
        telephone(tmp_path / "to", wanted(carriers, DESTINATION_HZ, transport, answers=True)) as destination,
    ):
        system = {**trunk_of(destination, transport), "sip_domain": DOMAIN}
        await carriers.have(trunk={"host": caller.address, "qualify_seconds": 0}, pbx=system)
        (number,) = carriers.house.agree([{"ring": (to := f"sip:reception@{DOMAIN}")}])
        await talk(caller, destination, carriers.uri(number))
        encrypted = [event["param"] for event in destination.events if is_encrypted(event)]
        assert len(encrypted) == (transport == "tls"), encrypted
    record = await watched.record(number)
    assert [(leg.to, leg.trunk, str(leg.outcome)) for leg in record.legs] == [(to, "pbx", "taken")]
