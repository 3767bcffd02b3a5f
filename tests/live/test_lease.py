"""Leases: Asterisk ends by itself what the engine no longer looks after, and nothing before that."""

import asyncio
import signal

import pytest

from devkit.audio import RATE, tone, write_wav
from devkit.carrier import Answers, Rings
from tests.live.agreed import PROMPTS, new_destination
from tests.live.ari import ask
from tests.live.conversation import hear_each_other
from tests.live.mails import BEEP_HZ
from tests.live.service import DESTINATION_HZ, Service
from tests.live.sip import Agent, Call
from tests.tiers import first_light

LONGEST = 240 * 60


async def test_a_conversation_has_no_lease(service: Service) -> None:
    """The door's lease of 5 s ends with the hand-over: no command has to keep the two talking."""
    to = service.destination(Answers(after=0.1))
    (number,) = service.house.agree([{"ring": {"to": [to], "seconds": 5}}])
    caller = await service.call(number)
    await caller.hears(DESTINATION_HZ)
    asterisk = service.house.endpoint
    leases = [
        float(ask(asterisk, f"/channels/{channel['id']}/variable?variable=TIMEOUT(absolute)")["value"])
        for channel in ask(asterisk, "/channels")
    ]
    await caller.hang_up()
    caller_lease, longest = sorted(leases)
    assert caller_lease == 0
    assert LONGEST - 60 < longest <= LONGEST  # of the destination's leg: Dial() ends the talk by it


@pytest.mark.parametrize("step", first_light("announce", "voicemail"))
async def test_a_prompt_may_be_longer_than_the_dialplan_waits_for_an_engine(
    service: Service, step: str
) -> None:
    """A channel that is being played something takes no other command: its lease has to be there before."""
    seconds, to, prompt = 6.0, new_destination(), f"long-{step}"
    file = service.house.routing / "prompts" / f"{prompt}.wav"
    write_wav(file, tone((PROMPTS["long"],), round(seconds * RATE)))
    service.network.behave(to, Answers())
    rings = [{"ring": to}] if step == "announce" else []  # `voicemail` ends the route
    (number,) = service.house.agree([{step: prompt}, *rings])
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    if step == "announce":
        await hear_each_other(caller, await service.network.picked_up(to))
    else:
        await caller.hears(BEEP_HZ)
    await caller.hang_up()
    assert (await service.record(number)).outcome == ("answered" if step == "announce" else "voicemail")


async def test_a_busy_destination_becomes_503_if_the_engine_does_not_go_on_within_the_lease(
    service: Service,
) -> None:
    """The caller waits in [back] for 1.8 s, and the number has no fallback. The leg itself stays busy.

    The engine goes on later, and hangs up a caller who has gone: which of the two results counts, is chance.
    """
    to, engine = service.destination(Rings()), service.house.engine.process
    assert engine is not None
    (number,) = service.house.agree([{"ring": to}])
    with Agent() as telephone:
        call = Call(telephone, service.house.run.sip, number).invite()
        arrival = await service.network.arrival(to)
        engine.send_signal(signal.SIGSTOP)
        try:
            service.network.refuse(arrival, 486)
            assert await asyncio.to_thread(call.final) == 503
        finally:
            engine.send_signal(signal.SIGCONT)
    record = await service.record(number)
    assert (record.outcome, record.cause) in (("busy", 17), ("unreachable", 34))
    assert record.ended_by == "engine"
    assert [(leg.outcome, leg.cause, leg.sip) for leg in record.legs] == [("busy", 17, 486)]
