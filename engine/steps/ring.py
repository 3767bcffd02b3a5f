"""Perform `ring`: every destination at once, the first to answer talks with the caller."""

from datetime import timedelta

from dialplan.result import Outcome, Result
from dialplan.steps import Ring
from engine.call import NORMAL_CLEARING, Call, Ending
from engine.line import HungUp, Leg
from engine.recording import announce_recording, recorded

# Asterisk ends the call by itself this long after we should have: only if the engine is gone.
LEASE_BEYOND_LIMIT = 60.0


async def ring(step: Ring, call: Call) -> Outcome:
    await announce_recording(call)
    async with call.line.ringing(step.to, step.seconds, call) as legs:
        match await legs.first_answer():
            case Outcome() as outcome:
                return outcome
            case leg:
                await talk(call, leg)
                return Outcome.TAKEN


async def talk(call: Call, leg: Leg) -> None:
    """Answer the caller, now that somebody is there to talk to; an earlier engine may have done so."""
    async with recorded(call):
        if call.answered is None:
            await call.mark_answered(leg.answered, leg.to)  # on the disk before the caller is charged
            await call.line.answer()
        await converse(call, leg)


async def converse(call: Call, leg: Leg) -> None:
    """Let the two talk until one of them hangs up, or the longest call is over."""
    limit = max(call.limit - call.spent, timedelta(0)).total_seconds()
    try:
        async with leg.talking(limit + LEASE_BEYOND_LIMIT) as talking:
            ended = await talking.over(limit)
    except HungUp as gone:
        if gone.leg is call.line:
            raise
        ended = gone.ended  # the destination left before the two were bridged
    if ended is None:
        call.over = Ending(Result.ANSWERED, "limit", leg.answered + call.limit, NORMAL_CLEARING)
    else:
        call.over = Ending(Result.ANSWERED, "destination", ended.at, ended.cause)
