"""A party that has left the network without a word: Asterisk ends the talk, and the record says so."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from devkit.asterisk import Asterisk
from devkit.carrier import Answers
from tests.lateness import PATIENCE
from tests.live.conversation import Wire, assert_near, in_conversation, more_heard
from tests.live.service import Service
from tests.live.sip import Agent, Call
from tests.tiers import heavy

SECONDS = 2  # instead of the 120 of pjsip.conf
SILENT = (
    10  # s without any sound after which a caller loses a line that another needs (engine/ari/unheard.py)
)


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
    assert_near(record.ended, await wire.first(destination, "BYE", "BYE"))


@pytest.fixture
def narrow(service: Service) -> Iterator[None]:
    """An Asterisk that takes one call to each number at once."""
    running = service.house.asterisk.running
    assert running is not None
    file = running.endpoint.etc / "extensions.conf"
    usual = file.read_text()
    file.write_text(re.sub(r"(GROUP_COUNT\(@number\)\} (?:<=|>)) \d{2,}", r"\1 1", usual))
    running.cli("dialplan reload")
    yield
    file.write_text(usual)
    running.cli("dialplan reload")


@heavy
@pytest.mark.usefixtures("narrow")
async def test_a_caller_who_never_sent_a_sound_makes_room_for_one_who_is_refused(service: Service) -> None:
    number, to = service.ringing(Answers())
    talked_on, office = service.ringing(Answers())
    caller, destination = await in_conversation(service, talked_on, office)
    with Agent() as agent:
        silent = Call(agent, service.house.run.sip, number).invite()
        await service.network.picked_up(to)
        assert await asyncio.to_thread(silent.final, 10) == 200
        await asyncio.sleep(SILENT + 1)  # in which an honest telephone sends something
        for wanted in (number, talked_on):  # there is one line for each
            assert (await (await service.call(wanted)).wait_ended()).code == 486
        bye = await asyncio.to_thread(agent.expect, lambda message: message.method == "BYE")
        agent.send(bye.reply(200), service.house.run.sip)
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "network", 44)
    await more_heard(caller)
    assert destination.ending is None
    await caller.hang_up()
    await service.record(talked_on)
