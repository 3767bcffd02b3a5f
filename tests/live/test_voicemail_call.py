"""Messages as they are left: what the caller hears, what lies in Asterisk's spool, what the journal says.

The worker takes the sound away as soon as the call is over; a second link to the file keeps it for the test.
"""

import asyncio
from datetime import timedelta

import numpy as np

from devkit.audio import RATE, level, levels, read_wav
from tests.lateness import late
from tests.live.agreed import PROMPTS
from tests.live.conversation import more_heard
from tests.live.service import Service, until
from tests.live.voicemails import (
    ABSENT,
    BEEP_HZ,
    GREETING_HZ,
    Spool,
    after_the_beep,
    assert_heard,
    assert_told,
    babble,
    kinds,
    leave,
    of_kind,
    said,
)


async def test_six_seconds_are_recorded_as_they_are_spoken(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    number, sound = voicemails["spoken"], babble(6)
    caller, audio_id = await after_the_beep(service, number, spool)
    assert caller.answered is not None
    caller.play(sound)
    await said(caller, 6)
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.delivered_to) == ("voicemail", "caller", "voicemail")
    assert record.message_id == audio_id == f"{record.call_id}-vm1"
    assert record.answered is not None
    assert abs(record.answered - caller.answered) < timedelta(milliseconds=50) + late()
    entries = service.journal(number)
    assert kinds(entries) == ["call_start", "answered", "vm_start", "vm_end", "call_end"]
    assert of_kind(entries, "vm_end")["how"] == "hangup"
    assert of_kind(entries, "vm_start")["deliver"]["to"] == ["office@acme.example"]
    assert_heard(sound, spool.keep(audio_id))


async def test_the_caller_hears_the_greeting_then_the_beep_then_nothing(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    caller, _ = await after_the_beep(service, voicemails["closed"], spool)
    await more_heard(caller, 1)
    await caller.hang_up()
    greeting, beep = (np.array(levels(caller.heard, hz)) > 0.1 for hz in (GREETING_HZ, BEEP_HZ))
    first, last = np.flatnonzero(greeting)[[0, -1]], np.flatnonzero(beep)[[0, -1]]
    assert first[1] < last[0] < last[1] < len(beep) - 5
    assert level(caller.heard[(last[1] + 2) * RATE // 10 :], BEEP_HZ) < ABSENT


async def test_whatever_ends_a_message_the_caller_is_told_goodbye(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    spoken = babble(12)
    key, silence, limit = await asyncio.gather(
        leave(service, voicemails["usual"], spool, spoken[: 2 * RATE], keys="#"),
        leave(service, voicemails["restless"], spool, spoken[: 2 * RATE]),
        leave(service, voicemails["short"], spool, spoken),
    )
    assert key.ends == ("key", "engine", "voicemail")
    assert silence.ends == ("silence", "engine", "voicemail")
    assert limit.ends == ("limit", "engine", "voicemail")
    for left, seconds in ((key, 2), (silence, 2), (limit, 10)):
        assert_told(left.caller, "goodbye")
        assert_heard(spoken[: seconds * RATE], left.file)
    assert_told(key.caller, "greeting")


async def test_the_limit_is_announced_to_the_caller_and_not_in_the_message(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    caller, audio_id = await after_the_beep(service, voicemails["short"], spool)
    caller.say(500)
    await more_heard(caller, 7)
    await caller.hang_up()
    beeps = np.flatnonzero(np.array(levels(caller.heard, BEEP_HZ)) > 0.1)  # tenths of a second
    (pause,) = np.flatnonzero(np.diff(beeps) > 20)  # from the beep before the message to the warning
    begun, warning = beeps[pause], beeps[pause + 1 :]
    assert 48 <= warning[0] - begun <= 60, "in the middle of 10 s"
    assert 5 <= len(warning) <= 12, "two beeps"
    assert max(levels(read_wav(spool.keep(audio_id)), BEEP_HZ)) < ABSENT


async def test_who_hangs_up_in_the_greeting_leaves_no_message(
    service: Service, voicemails: dict[str, str]
) -> None:
    number = voicemails["wordy"]
    before = len(await service.records(number, 0))
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    await caller.hang_up()
    record = (await service.records(number, before + 1))[-1]
    assert (record.outcome, record.ended_by, record.message_id) == ("voicemail", "caller", "")
    assert kinds([it for it in service.journal(number) if it["call"] == record.call_id]) == [
        "call_start",
        "answered",
        "call_end",
    ]


async def test_who_cannot_leave_a_message_is_told_so_and_is_not_answered(
    service: Service, voicemails: dict[str, str], spool: Spool
) -> None:
    service.forgiven |= {"message_declined", "disk_troubled"}
    number, away = voicemails["usual"], spool.folder.with_name("away")
    before = len(service.journal(number))
    spool.folder.rename(away)
    try:
        caller = await service.call(number)
        ending = await caller.wait_ended()
    finally:
        away.rename(spool.folder)
    assert (caller.answered, ending.code) == (None, 500)
    assert_told(caller, "mailbox-full")
    await until(lambda: "call_end" in kinds(service.journal(number)[before:]))
    entries = service.journal(number)[before:]
    assert kinds(entries) == ["call_start", "turn", "step", "call_end"]
    assert of_kind(entries, "turn")["why"].startswith("no message taken: asterisk.recordings")
    assert of_kind(entries, "call_end")["outcome"] == "failed"
