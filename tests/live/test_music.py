"""Music instead of ringing: what the caller hears, from when to when, and what becomes of it in trouble."""

import asyncio
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk
from devkit.audio import level
from devkit.carrier import Announces, Answers, Refuses, Rings
from devkit.phones import phones, shown
from engine.music import NAME, RELOADED_BY, render
from tests.live.ari import ask
from tests.live.conversation import Wire, assert_near, hear_each_other, in_conversation, more_heard
from tests.live.fragile import Fragile, away, reads_a_version
from tests.live.recordings import NOTICE_HZ, recorded_route
from tests.live.service import Service, until
from tests.live.sip import Agent, Ringing
from tests.live.test_recorder import set_up
from tests.live.tunes import heard_tones, new_music, replace_music, write
from tests.tiers import heavy

TUNE, OTHER_TUNE = (500, 700, 900), (1100, 1300, 1500)
UNKNOWN_TUNE = (1200, 1400)  # content that Asterisk has by no other name
NUMBER, TO = "32809900", "+3247000888"
ANSWERED = f"""\
[inbound]
exten => {NUMBER},1,Answer()
 same => n,Set(CONNECT_TO=PJSIP/{TO}@trunk)
 same => n,Set(CONNECT_SECONDS=20)
 same => n,Set(CONNECT_LIMIT=60)
 same => n,Set(CONNECT_LEG=caller)
 same => n,Set(CONNECT_OPTIONS=m(tune))
 same => n,Goto(connect,s,1)
"""
EITHER = (*TUNE, *OTHER_TUNE)
ABSENT = 0.01
ANNOUNCED_HZ = 440
RINGING_HZ = 425  # indications.conf: what a caller hears who has heard early media before


async def test_music_is_heard_before_the_answer_again_and_again_and_not_after_it(
    service: Service, wire: Wire
) -> None:
    music = await new_music(service.house, TUNE, "mp3")
    to = service.destination(Answers(after=4.5))
    (number,) = service.house.agree([{"ring": {"to": to, "music": music}}])
    caller = await service.call(number)
    await caller.hears(TUNE[2])
    assert caller.answered is None
    await wire.first(caller, "SIP/2.0 183", "INVITE")
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    before = caller.heard
    assert heard_tones(before, TUNE)[:4] == [*TUNE, TUNE[0]]
    after = await more_heard(caller, 1.0)
    assert max(level(after, hz) for hz in TUNE) < ABSENT
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.ended_by) == ("answered", "caller")
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    (leg,) = record.legs
    assert leg.ringing is not None


@heavy
async def test_every_caller_hears_it_from_its_beginning(service: Service) -> None:
    music = await new_music(service.house, TUNE)
    to = service.destination(Answers(after=4))
    (number,) = service.house.agree([{"ring": {"to": to, "music": music}}])
    first = await service.call(number)
    await first.hears(TUNE[1])
    second = await service.call(number)
    await asyncio.gather(first.hears(TUNE[2]), second.hears(TUNE[0]))
    await asyncio.gather(first.hears(TUNE[0]), second.hears(TUNE[1]))
    assert [heard_tones(one.heard, TUNE)[:2] for one in (first, second)] == [list(TUNE[:2])] * 2
    await asyncio.gather(first.hang_up(), second.hang_up())
    await service.records(number, 2)


async def test_in_the_next_ring_of_the_call_it_goes_on_where_it_stopped(service: Service) -> None:
    music = await new_music(service.house, TUNE)
    engaged, office = service.destination(Refuses(486, after=1.5)), service.destination(Answers(after=2))
    rings = [{"ring": {"to": to, "music": music}} for to in (engaged, office)]
    (number,) = service.house.agree(rings)
    caller, _ = await in_conversation(service, number, office)
    assert heard_tones(caller.heard, TUNE)[:3] == list(TUNE)
    await caller.hang_up()
    record = await service.record(number)
    assert [leg.outcome for leg in record.legs] == ["busy", "taken"]


@heavy
async def test_a_caller_who_hears_music_does_not_hear_what_a_network_announces(service: Service) -> None:
    music = await new_music(service.house, TUNE)
    engaged = service.destination(Announces(ANNOUNCED_HZ, 1.5, 486))
    office = service.destination(Answers())
    busy = [{"ring": office}]
    (number,) = service.house.agree([{"ring": {"to": engaged, "music": music, "busy": busy}}])
    caller, _ = await in_conversation(service, number, office)
    assert heard_tones(caller.heard, (*TUNE, ANNOUNCED_HZ)) == list(TUNE[:2])
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome) for leg in record.legs] == [(engaged, "busy"), (office, "taken")]


async def test_a_call_keeps_its_music_when_another_takes_its_place_and_the_engine_is_killed(
    service: Service, engine: Fragile
) -> None:
    music = await new_music(service.house, TUNE)
    engaged, office = service.destination(Rings()), service.destination(Answers(after=2))
    rings = [{"ring": {"to": to, "music": music, "seconds": 120}} for to in (engaged, office)]
    (number,) = service.house.agree(rings)
    earlier = await service.call(number)
    await earlier.hears(TUNE[0])
    await replace_music(service.house, music, OTHER_TUNE)
    await engine.end()
    await engine.start()
    later = await service.call(number)
    await later.hears(OTHER_TUNE[0])
    assert heard_tones(later.heard, EITHER) == [OTHER_TUNE[0]]
    await later.hang_up()
    await until(lambda: not reads_a_version(service), 30)  # that of the earlier call, whose lease is 5 s
    before = len(earlier.heard)
    service.network.refuse(await service.network.arrival(engaged), 486)
    await hear_each_other(earlier, await service.network.picked_up(office))
    for heard in (earlier.heard[:before], earlier.heard[before:]):
        assert set(heard_tones(heard, EITHER)) <= set(TUNE)
        assert heard_tones(heard, EITHER)
    await earlier.hang_up()
    await service.records(number, 2)


@heavy
async def test_where_asterisk_cannot_be_told_the_music_it_rings(service: Service, wire: Wire) -> None:
    told = service.house.told
    missing, unpublished = told("music_missing"), told("music_not_published")
    draft = service.house.endpoint.etc / "music.draft"
    draft.mkdir()
    try:
        music = await new_music(service.house, UNKNOWN_TUNE)
        to = service.destination(Answers(after=1))
        (number,) = service.house.agree([{"ring": {"to": to, "music": music}}])
        caller, _ = await in_conversation(service, number, to)
    finally:
        draft.rmdir()
    await wire.first(caller, "SIP/2.0 180", "INVITE")
    assert heard_tones(caller.heard, UNKNOWN_TUNE) == []
    await caller.hang_up()
    assert told("music_missing") == missing + 1
    assert told("music_not_published") > unpublished
    await service.record(number)


async def test_the_caller_hears_music_until_the_destination_has_heard_of_the_recording(
    service: Service,
) -> None:
    music = await new_music(service.house, TUNE)
    to = service.destination(Answers(after=0.5))
    number = recorded_route(service.house, [{"ring": {"to": to, "music": music}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await destination.hears(NOTICE_HZ)
    assert caller.answered is None
    await caller.hears(TUNE[1])
    await hear_each_other(caller, destination)
    assert heard_tones(caller.heard, TUNE)[:2] == list(TUNE[:2])
    after = await more_heard(caller)
    assert max(level(after, hz) for hz in TUNE) < ABSENT
    await caller.hang_up()
    record = await service.record(number)
    assert record.recording_id


@heavy
async def test_without_an_engine_the_music_goes_on_and_the_fallback_rings(
    service: Service, engine: Fragile
) -> None:
    music = await new_music(service.house, TUNE)
    engaged, home = service.destination(Rings()), service.destination(Answers(after=1.5))
    route = [{"ring": {"to": engaged, "music": music}}]
    (number,) = service.house.agree(route, fallback=home)
    await until(lambda: home in Path(service.house.endpoint.etc / "fallback.conf").read_text())
    caller = await service.call(number)
    await caller.hears(TUNE[0])
    await engine.end()
    await away(service)
    service.network.refuse(await service.network.arrival(engaged), 486)
    await hear_each_other(caller, await service.network.picked_up(home))
    heard = heard_tones(caller.heard, (*TUNE, RINGING_HZ))
    assert heard[:6] == [*TUNE, *TUNE]
    assert heard[-1] == RINGING_HZ
    await engine.start()
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", home)


@pytest.mark.usefixtures("empty")
async def test_a_caller_who_was_answered_before_hears_it_too(
    asterisk: Asterisk, carrier: Agent, tmp_path: Path
) -> None:
    """No route answers before it rings today; Asterisk is asked alone."""
    write(tmp_path / "tune.wav", TUNE)
    etc, sip = asterisk.endpoint.etc, asterisk.endpoint.sip
    (etc / NAME).write_text(render({"tune": str(tmp_path / "tune")}, ""))
    ask(asterisk.endpoint, f"/asterisk/modules/{RELOADED_BY}", "PUT")
    set_up(asterisk, ANSWERED)
    async with phones() as telephones:
        caller = await telephones.dial(NUMBER, sip, shown("+3225000001"))
        await caller.wait_answered()
        ringing = await asyncio.to_thread(Ringing.wait, carrier, sip, TO)
        ringing.ring()
        await caller.hears(TUNE[1])
        await caller.hang_up()
        ringing.gone()
    assert heard_tones(caller.heard, TUNE) == list(TUNE[:2])
