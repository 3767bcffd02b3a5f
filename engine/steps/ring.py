"""Perform `ring`: every destination at once, the first to answer talks with the caller."""

from datetime import datetime, timedelta

from dialplan.result import Outcome, Result
from dialplan.steps import Ring
from engine.call import NORMAL_CLEARING, Call, Ending
from engine.line import HungUp, Leg
from engine.recording import announce_recording, inform, recorded

# Asterisk ends the call by itself this long after we should have: only if the engine is gone.
LEASE_BEYOND_LIMIT = 60.0


async def ring(step: Ring, call: Call) -> Outcome:
    await announce_recording(call)
    async with call.line.ringing(step.to, step.seconds, call) as legs:
        match await legs.first_answer():
            case Outcome() as outcome:
                return outcome
            case leg:
                return await put_through(call, leg, leg.answered)


async def put_through(call: Call, leg: Leg, since: datetime) -> Outcome:
    """Let the two talk, once the destination, there `since` then, knows that it is recorded. To the end."""
    try:
        since = max(since, await inform(call, leg))
    except HungUp as gone:
        if gone.leg is call.line:
            raise
        return Outcome.REJECTED  # it did not want to: the caller goes on in the route
    await talk(call, leg, since)
    return Outcome.TAKEN


async def talk(call: Call, leg: Leg, since: datetime) -> None:
    """Answer the caller, now that somebody is there to talk to; an earlier engine may have done so."""
    async with recorded(call):
        if call.answered is None:
            await call.mark_answered(since, leg.to)  # on the disk before the caller is charged
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
        began = call.answered or leg.answered
        call.over = Ending(Result.ANSWERED, "limit", began + call.limit, NORMAL_CLEARING)
    else:
        call.over = Ending(Result.ANSWERED, "destination", ended.at, ended.cause)
