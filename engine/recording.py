"""Recording a conversation: never before both have heard of it to the end, never at the call's cost.

The destination presses *1 before a card number is said, and after it; the caller presses *9 to be recorded no
more, where the owner allows it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from dialplan.number import RecordingPolicy
from engine.call import Call
from engine.line import HungUp, Key, Leg, Party, Tape, TapeEnded
from engine.notice import Announcement, Informed
from journal.fault import point

log = structlog.get_logger()

# Who forgets to end a pause is recorded again: no card number takes longer.
LONGEST_PAUSE_SECONDS = 120.0
# Two keys further apart are no code.
CODE_SECONDS = 5.0


async def announce_recording(call: Call) -> None:
    """Tell the caller, once, that he will be recorded, or ask him. Whatever fails, the call goes on without.

    Before anything rings: unanswered, he pays nothing for it.
    """
    if call.announced or call.agreed.number.record is RecordingPolicy.OFF:
        return
    if why := await call.desk.why_no_recording():
        log.error("call_not_recorded", why=why)
        call.not_announced("skipped", why)
        return
    try:
        heard = await _announce(call)
    except HungUp:
        raise
    except Exception:
        log.exception("announcement_failed")
        heard = False
    if not heard:
        log.error("call_not_recorded", why="the announcement was not heard to its end")
        call.not_announced("failed", "the announcement was not heard to its end")


async def _announce(call: Call) -> bool:
    number, owner = call.agreed.number, call.agreed.owner
    prompt = call.agreed.prompt(number.announcement(owner))
    if prompt is None:
        return False
    heard = await call.line.announce_recording(Announcement(number.record, prompt, owner.language))
    if heard is not None:
        call.announced_as(heard)
    return heard is not None


async def inform(call: Call, leg: Leg) -> datetime:
    """Tell who has answered that he will be recorded too, unless he knows; since when he may talk.

    Before the caller is answered: he pays nothing for it either. Whatever fails, the call goes on without.
    """
    if call.notice is None or call.answered is not None or call.knows(leg.id):
        return leg.answered
    if call.agreed.owner.destinations_know:
        call.joined_by(Informed(leg.id))
        return leg.answered
    try:
        informed = await _inform(call, leg)
    except HungUp:
        raise
    except Exception:
        log.exception("announcement_failed")
        informed = None
    if informed is None or informed.heard is None:
        log.error("call_not_recorded", why="the destination did not hear the announcement to its end")
        call.not_informed(leg.id, "the announcement was not heard to its end")
        return datetime.now(UTC)
    call.joined_by(informed)
    return informed.heard.ended


async def _inform(call: Call, leg: Leg) -> Informed | None:
    number, owner = call.agreed.number, call.agreed.owner
    prompt = call.agreed.prompt(number.statement(owner))
    if prompt is None:
        return None
    return await leg.announce_recording(Announcement(RecordingPolicy.ANNOUNCE, prompt, owner.language))


@asynccontextmanager
async def recorded(call: Call) -> AsyncIterator[None]:
    """While this lasts the call is recorded, if it may be, beside whatever else is done with it."""
    if call.notice is None or call.informed is None:
        yield
        return
    written = None if call.is_recorded else call.recording_begins()
    with call.line.recording(call.notice, call.informed, call.recording_id) as tape:
        work = asyncio.create_task(_record(tape, call, written))
        try:
            yield
        finally:
            work.cancel()
            await asyncio.wait({work})
            await tape.stop()
            note_end(tape, call)


async def _record(tape: Tape, call: Call, written: Awaitable[None] | None) -> None:
    """Record until cancelled, or stopped by key. What goes wrong ends the recording, and not the call."""
    try:
        ready = await tape.place()
        if written is not None:
            await written
        point("recording.before_start")
        await tape.start()
        point("recording.after_start")
        await obey(tape, call, ready)
    except (HungUp, TapeEnded):
        pass
    except Exception:
        log.exception("recording_failed")
        call.recording_stopped(datetime.now(UTC), "failed")
    await tape.stop()
    note_end(tape, call)


def note_end(tape: Tape, call: Call) -> None:
    """Once. Not of a recording that is left to the next engine: it goes on."""
    if call.is_recorded and tape.ended is not None:
        call.recording_ended(tape.ended)


async def obey(tape: Tape, call: Call, ready: datetime) -> None:
    """Do what the keys say, until the caller wants to be recorded no more. Raises TapeEnded."""
    clock = asyncio.get_running_loop().time
    resumes = clock() + left_of_pause(call, ready)
    codes = Codes()
    while True:
        key = await tape.key(None if call.paused is None else max(resumes - clock(), 0))
        if key is None:
            await resume(tape, call, "auto")
            continue
        match key.by, codes.code(key):
            case Party.DESTINATION, "*1" if call.paused is None:
                resumes = clock() + LONGEST_PAUSE_SECONDS
                await pause(tape, call)
            case Party.DESTINATION, "*1":
                await resume(tape, call, "key")
            case Party.CALLER, "*9" if call.agreed.owner.caller_may_stop:
                call.recording_stopped(key.at, "key")
                return


def left_of_pause(call: Call, ready: datetime) -> float:
    """The seconds left of a pause that an earlier engine made."""
    return LONGEST_PAUSE_SECONDS - (ready - call.paused).total_seconds() if call.paused else 0


async def pause(tape: Tape, call: Call) -> None:
    """Done first, and noted then: whoever is killed in between leaves silence, and no card number."""
    call.recording_paused(await tape.mute())


async def resume(tape: Tape, call: Call, how: str) -> None:
    """Done first as well: the next engine finds it paused, and does it again, which does nothing."""
    call.recording_resumed(await tape.unmute(), how)


class Codes:
    """Keys that mean something together: a star, and the digit after it."""

    def __init__(self) -> None:
        self._before: dict[Party, Key] = {}

    def code(self, key: Key) -> str:
        """The code that this key completes, or ""."""
        star = self._before.get(key.by)
        self._before[key.by] = key
        if star is None or star.digit != "*" or (key.at - star.at).total_seconds() > CODE_SECONDS:
            return ""
        return f"*{key.digit}"
