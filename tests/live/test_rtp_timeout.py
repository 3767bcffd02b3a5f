"""A party that has left the network without a word: Asterisk ends the talk, and the record says so."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from devkit.asterisk import Asterisk
from devkit.carrier import Answers
from tests.lateness import PATIENCE
from tests.live.conversation import Wire, assert_near
from tests.live.service import Service
from tests.live.sip import Agent, Call

SECONDS = 2  # instead of the 120 of pjsip.conf


@pytest.fixture
def hasty(service: Service) -> Iterator[None]:
    """An Asterisk that waits for sound for so long only."""
    running = service.house.asterisk.running
    assert running is not None
    file = running.endpoint.etc / "pjsip.conf"
    usual = file.read_text()
    reload(running, re.sub(r"(?m)^rtp_timeout *=.*$", f"rtp_timeout = {SECONDS}", usual))
    yield
    reload(running, usual)


def reload(asterisk: Asterisk, text: str) -> None:
    (asterisk.endpoint.etc / "pjsip.conf").write_text(text)
    asterisk.cli("module reload res_pjsip.so")


@pytest.mark.usefixtures("hasty")
async def test_a_caller_without_sound_is_hung_up_by_the_network(service: Service, wire: Wire) -> None:
    number, to = service.ringing(Answers())
    with Agent() as agent:
        call = Call(agent, service.house.run.sip, number).invite()
        destination = await service.network.picked_up(to)
        assert await asyncio.to_thread(call.final) == 200
        await destination.wait_ended(SECONDS + PATIENCE)
        assert destination.ending is not None
        assert not destination.ending.by_us
        await asyncio.to_thread(agent.expect, lambda message: message.method == "BYE")
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "network", 44)
    assert_near(record.ended, wire.first(destination, "BYE", "BYE"))
