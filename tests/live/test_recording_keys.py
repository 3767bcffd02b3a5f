"""Keys in a recorded conversation: the destination pauses the recording, the caller stops it."""

from datetime import timedelta
from pathlib import Path

from devkit.audio import RATE, level
from tests.lateness import late
from tests.live.conversation import hear_each_other
from tests.live.recorded import CALLER_HZ, DESTINATION_HZ, PRESENT, Conversation, length, recorded
from tests.live.recordings import instant
from tests.live.service import Service, until

# What these telephones, which say nothing for a moment now and then on a busy machine, may be short by.
BUSY = timedelta(milliseconds=250)


def since_the_beginning(it: Conversation, kind: str) -> float:
    """When that happened, in seconds of the recording."""
    (start,), (entry,) = it.noted("rec_start"), it.noted(kind)
    return (instant(entry) - instant(start)).total_seconds()


async def test_what_is_said_in_a_pause_is_digital_silence_and_the_time_goes_on(
    service: Service, tmp_path: Path
) -> None:
    it = await recorded(service, tmp_path)
    await it.talk(1)
    await it.destination.press("*1")
    await until(lambda: it.noted("rec_pause"))
    await it.talk(2)
    await it.destination.press("*1")
    await until(lambda: it.noted("rec_resume"))
    await it.talk(1)
    said, heard = await it.over()
    assert abs(length(said) - (await it.record()).talk) < BUSY + late()
    begin, end = since_the_beginning(it, "rec_pause"), since_the_beginning(it, "rec_resume")
    for sound, hz in ((said, CALLER_HZ), (heard, DESTINATION_HZ)):
        paused = sound[round((begin + 0.1) * RATE) : round((end - 0.1) * RATE)]
        assert len(paused) > 1.7 * RATE
        assert not paused.any()
        # Who presses keys says nothing meanwhile, for some 0.4 s.
        assert level(sound[round((begin - 1.0) * RATE) : round((begin - 0.7) * RATE)], hz) > PRESENT
        assert level(sound[round((end + 0.3) * RATE) :], hz) > PRESENT


async def test_a_call_that_ends_in_a_pause_is_silent_to_its_end(service: Service, tmp_path: Path) -> None:
    it = await recorded(service, tmp_path)
    await it.destination.press("*1")
    await until(lambda: it.noted("rec_pause"))
    await it.talk(1)
    said, heard = await it.over()
    assert abs(length(said) - (await it.record()).talk) < BUSY + late()
    paused = round((since_the_beginning(it, "rec_pause") + 0.1) * RATE)
    assert len(said) - paused > 0.8 * RATE
    assert not said[paused:].any()
    assert not heard[paused:].any()


async def test_the_caller_stops_it_for_good_and_talks_on(service: Service, tmp_path: Path) -> None:
    it = await recorded(service, tmp_path, caller_may_stop="true")
    await it.talk(1)
    await it.caller.press("*9")
    await until(lambda: it.noted("rec_stop") and it.kept.is_written())
    (part,) = it.kept.parts()
    size = part.stat().st_size
    await hear_each_other(it.caller, it.destination, DESTINATION_HZ, CALLER_HZ)
    await it.destination.press("*1*1")
    await it.talk(1)
    said, _ = await it.over()
    assert [file.stat().st_size for file in it.kept.parts()] == [size]
    (stop,), record = it.noted("rec_stop"), await it.record()
    assert stop["how"] == "key"
    assert record.answered is not None
    assert abs(length(said) - (instant(stop) - record.answered)) < BUSY + late()
    assert record.talk > length(said) + timedelta(seconds=0.9)
    assert it.noted("rec_pause") == []
