"""Messages whose engine or Asterisk does not live to their end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devkit.audio import RATE
from devkit.parts import Part, ended
from tests.lateness import PATIENCE
from tests.live.agreed import PROMPTS
from tests.live.service import House, Service, until
from tests.live.voicemails import (
    BEEP_HZ,
    Left,
    Spool,
    after_the_beep,
    assert_heard,
    assert_told,
    babble,
    kinds,
    of_call,
    of_kind,
    said,
)
from tests.tiers import first_light

WHOLE = ["call_start", "answered", "vm_start", "vm_end", "call_end"]
ENDS = pytest.mark.parametrize("how", first_light(signal.SIGKILL, signal.SIGTERM), ids=["killed", "stopped"])


# Engines and Asterisks that do not live to its end.


async def end(part: Part, how: signal.Signals) -> None:
    assert part.process is not None
    part.process.send_signal(how)
    async with asyncio.timeout(PATIENCE):
        await ended(part.process)


@asynccontextmanager
async def breaking_at(house: House, failpoint: str) -> AsyncIterator[None]:
    """An engine that kills itself there. When the block ends, a sound one has come after it."""
    engine, usual = house.engine, house.engine.environment
    await end(engine, signal.SIGTERM)
    engine.environment = lambda: {**usual(), "CALLENGINE_FAILPOINT": failpoint}
    try:
        await engine.start()
        yield
        assert engine.process is not None
        async with asyncio.timeout(PATIENCE):
            await ended(engine.process)
    finally:
        engine.environment = usual
        if engine.process is not None and engine.process.poll() is None:
            await end(engine, signal.SIGKILL)
        await engine.start()


async def test_a_message_has_begun_on_the_disk_before_it_is_recorded(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    number, sound = voicemails["closed"], babble(2)
    before = len(service.journal(number))
    async with breaking_at(service.house, "voicemail.before_record"):
        caller = await service.call(number, says=())
        await until(lambda: "vm_start" in kinds(service.journal(number)[before:]))
        audio_id = str(of_kind(service.journal(number)[before:], "vm_start")["audio"])
        assert not spool.holds(audio_id)
    await caller.hears(BEEP_HZ, 15)  # of the next engine
    await until(lambda: spool.holds(audio_id))
    spool.keep(audio_id)
    caller.play(sound)
    await said(caller, 2)
    await caller.hang_up()
    await until(lambda: kinds(service.journal(number)[before:])[-1] == "call_end")
    entries = service.journal(number)[before:]
    assert kinds(entries) == WHOLE
    assert_heard(sound, spool.keep(audio_id))


async def test_a_caller_who_hears_the_beep_is_recorded_though_the_engine_dies_in_it(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    number, sound = voicemails["closed"], babble(2)
    caller = await service.call(number, says=())
    await caller.hears(BEEP_HZ, 10)  # half of it
    await end(service.house.engine, signal.SIGKILL)
    audio_id = str(of_kind(service.journal(number)[-3:], "vm_start")["audio"])
    await until(lambda: spool.holds(audio_id))
    spool.keep(audio_id)
    caller.play(sound)
    await said(caller, 2)
    await caller.hang_up()
    await service.house.engine.start()
    await until(lambda: kinds(service.journal(number))[-1] == "call_end")
    assert of_kind(service.journal(number)[-4:], "vm_end")["how"] == "hangup"
    assert_heard(sound, spool.keep(audio_id))


@ENDS
async def test_every_caller_is_served_to_the_end_by_the_next_engine(
    service: Service, voicemails: dict[str, str], spool: Spool, how: signal.Signals
) -> None:
    """One is in the greeting when the engine ends; one hangs up, one presses `#`, one speaks on meanwhile."""
    house, spoken, number = service.house, babble(30), voicemails["closed"]
    audible = [await after_the_beep(service, number, spool) for _ in range(3)]
    (leaving, _), (pressing, _), (patient, _) = audible
    greeted = await service.call(voicemails["wordy"], says=())
    await greeted.hears(PROMPTS["long"])
    for caller, _ in audible:
        caller.play(spoken)
    await end(house.engine, how)
    await asyncio.gather(*(said(caller, 3) for caller, _ in audible))
    await leaving.hang_up()
    await pressing.press("#")
    await asyncio.sleep(0.3)  # a key is pressed for 100 ms
    await house.engine.start()
    await asyncio.gather(greeted.hears(BEEP_HZ), pressing.wait_ended())
    await until(lambda: kinds(service.journal(voicemails["wordy"]))[-1] == "vm_start")
    await asyncio.gather(greeted.hang_up(), patient.press("#"))
    await asyncio.gather(greeted.wait_ended(), patient.wait_ended())
    await until(lambda: all(has_ended(service, each) for each in (number, voicemails["wordy"])))
    entries = service.journal(number)
    ends = [Left(caller, of_call(entries, audio_id), spool.keep(audio_id)) for caller, audio_id in audible]
    by_key = ("key", "engine", "voicemail")
    assert [left.ends for left in ends] == [("hangup", "caller", "voicemail"), by_key, by_key]
    for left in ends:
        assert_heard(spoken[: 3 * RATE], left.file)
    for left in ends[1:]:
        assert_told(left.caller, "goodbye")
    assert kinds(service.journal(voicemails["wordy"]))[-5:] == WHOLE


def has_ended(service: Service, number: str) -> bool:
    """Whether every call to this number has its end in the journal."""
    entries = kinds(service.journal(number))
    return entries.count("call_end") == entries.count("call_start")


async def test_a_message_is_not_lost_with_the_asterisk_it_was_spoken_to(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    number = voicemails["closed"]
    before = len(service.journal(number))
    caller, audio_id = await after_the_beep(service, number, spool)
    caller.play(babble(4))
    await said(caller, 4)
    await end(service.house.asterisk, signal.SIGKILL)
    await service.house.asterisk.start()
    await until(lambda: kinds(service.journal(number)[before:])[-1] == "call_end")
    await caller.hang_up()
    last = of_kind(service.journal(number)[before:], "call_end")
    assert (last["outcome"], last["ended_by"]) == ("voicemail", "lost")
    assert spool.keep(audio_id).stat().st_size >= (4 - 2.1) * RATE * 2
