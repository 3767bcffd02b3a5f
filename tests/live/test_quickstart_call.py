"""The way in of a quickstart's test call: Asterisk calls itself, though only the carrier may call it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.quickstart.own_call import way_in
from devkit.asterisk import Asterisk, Options, start_asterisk
from engine.ari.client import Client
from tests.live.sip import eventually

CARRIER = "127.0.0.9:5999"  # nobody is there
NUMBER = "+3280000001"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Asterisk]:
    """An Asterisk whose carrier has another address than this host."""
    with start_asterisk(tmp_path / "asterisk", Options(CARRIER)) as running:
        running.wait_until_ready()
        yield running


def came_in(asterisk: Asterisk) -> bool:
    """Whether a call to the number came in where the carrier's calls do."""
    text = asterisk.endpoint.cel.read_text() if asterisk.endpoint.cel.exists() else ""
    return any("PJSIP/from" in line and NUMBER in line for line in text.splitlines())


def refused(asterisk: Asterisk) -> bool:
    """Whether Asterisk refused itself. Telephones of other tests may still send to a port they knew."""
    host, _, port = asterisk.endpoint.sip.rpartition(":")
    lines = asterisk.endpoint.log.with_name("security").read_text().splitlines()
    return any("FailedACL" in line and f"/{host}/{port}" in line for line in lines)


async def place(asterisk: Asterisk, client: Client, channel: str) -> None:
    await client.channels.originate(channel.format(number=NUMBER), context="test", extension="s", priority=1)


async def test_the_call_comes_in_as_the_carriers_do_and_the_way_is_closed_afterwards(alone: Asterisk) -> None:
    endpoint = alone.endpoint
    async with Client(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password) as client:
        async with way_in(endpoint.etc, client, endpoint.sip) as channel:
            await place(alone, client, channel)
            assert eventually(lambda: came_in(alone))
            alone.cli("channel request hangup all")  # or its BYE would come when the way is closed
            assert eventually(lambda: "0 active channels" in alone.cli("core show channels count"))
        assert not refused(alone)
        assert "quickstart" not in alone.cli("pjsip show endpoints")
