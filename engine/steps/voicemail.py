"""Perform `voicemail`: answer, greet, and record a message, which is mailed once the call is over."""

from datetime import UTC, datetime, timedelta

import structlog

from dialplan.prompt import BEEP, GOODBYE, MAILBOX_FULL
from dialplan.result import Outcome
from dialplan.step import Turn
from dialplan.steps.voicemail import Voicemail
from engine.call import Call
from engine.ending import VOICEMAIL
from engine.line import How, HungUp, Limits, Recorded
from engine.steps.announce import say
from journal.fault import point

log = structlog.get_logger()


async def voicemail(step: Voicemail, call: Call) -> Outcome:
    """Take a message, or continue the one that an earlier engine began."""
    if call.state.message is None and (why := await call.services.why_no_message()):
        return await decline(call, why)
    recorded = call.message_recorded
    if recorded is None:
        try:
            recorded = await take_message(step, call)
        except HungUp as hung_up:
            if call.state.message is not None:  # the caller left before it could be recorded
                await call.message_ended(Recorded(How.FAILED, hung_up.ended.at))
            raise
        await call.message_ended(recorded)
        point("voicemail.after_end")
    if recorded.how is How.FAILED:
        return await decline(call, "Asterisk could not record it")
    await say(GOODBYE, call)  # raises HungUp if the message ended with a hang-up
    return Outcome.DONE


async def decline(call: Call, why: str) -> Outcome:
    """Play the prompt that no message can be taken; the caller is not answered for it, and pays nothing."""
    call.turned(Turn(VOICEMAIL, f"no message taken: {why}"))
    log.error("message_declined", why=why)
    await say(MAILBOX_FULL, call)
    return Outcome.FAILED


async def take_message(step: Voicemail, call: Call) -> Recorded:
    """Greet, and record the message. Its beginning is on the disk before Asterisk records it."""
    limits = Limits(step.seconds, step.silence)
    begun, greeted = call.state.message is not None, None
    if not begun:
        greeted = await greet(step, call)
    elif recorded := await call.line.rejoin(call.message_id, limits):
        return recorded
    beep, _ = call.prompt(BEEP)
    if not begun:  # our clock agrees with Asterisk's: engine.checks
        beeped = timedelta(seconds=beep.seconds if beep else 0)
        await call.message_begins((greeted or datetime.now(UTC)) + beeped)
    point("voicemail.before_record")
    recorded = await call.line.record(call.message_id, limits, beep, warning=beep)
    point("voicemail.after_record")
    return recorded


async def greet(step: Voicemail, call: Call) -> datetime | None:
    """Answer explicitly before recording, which would answer at an instant that is not known.

    Return when the greeting ended, or None if it failed.
    """
    await call.answer(to=VOICEMAIL)
    return await say(step.prompt, call)
