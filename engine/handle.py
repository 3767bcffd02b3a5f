"""The call, read top to bottom."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

import structlog

from dialplan.result import Outcome, Result, Verdict
from dialplan.steps import Action
from dialplan.walk import Facts, Plan, Turn
from engine.call import NO_SUCH_NUMBER, NORMAL_CLEARING, Call, Desk, Ending, note_end, note_start
from engine.line import HungUp, Leg, Line
from engine.steps import perform
from engine.steps.ring import put_through

log = structlog.get_logger()


async def handle(line: Line, desk: Desk) -> None:
    """Take one call from its first ring to its record.

    Cancelled, it detaches: the call lives on in Asterisk, for the engine that comes after this one.
    """
    agreed = desk.agreed(line.dialled)
    if agreed is None:
        await turn_away(line, desk)
        return
    call = Call(line, agreed, desk)
    call.start()
    await call.end(await attend(call))


async def resume(call: Call, already: Sequence[Outcome], leg: Leg | None) -> None:
    """Take a call over from an engine that is gone: go on talking, else replay what has been performed."""
    await call.end(await attend(call, already, leg))


async def turn_away(line: Line, desk: Desk) -> None:
    """A call to a number that is not ours: 404, and a record without an owner."""
    note_start(desk, line, number=line.dialled, owner="")
    ended = await line.turn_away()
    await note_end(desk, line, Ending(Result.FAILED, "engine", ended.at, NO_SUCH_NUMBER))


async def attend(call: Call, already: Sequence[Outcome] = (), leg: Leg | None = None) -> Ending:
    """Walk the caller through the route, and end the call; returns how it ended."""
    try:
        if leg is not None and await put_through(call, leg, datetime.now(UTC)) is Outcome.TAKEN:
            result = Result.ANSWERED
        else:
            result = await route(call, already)
    except HungUp as gone:  # only ever the caller: a destination's end is an outcome of its step
        return await left(call, gone)
    except Exception:
        log.exception("call_failed")
        result = Result.FAILED
    ended = await call.line.hang_up(result)
    return call.over or Ending(result, "engine", ended.at, ended.cause)


async def route(call: Call, already: Sequence[Outcome]) -> Result:
    """What the number's route comes to for this caller."""
    number = call.agreed.number
    facts = Facts(call.line.entered, call.line.caller, number.zone, number.calendar)
    return (await follow(number.plan(facts), call, already)).result


async def follow(plan: Plan, call: Call, already: Sequence[Outcome] = ()) -> Verdict:
    """Perform the steps of a plan, telling it what came of each; the first have been performed `already`."""
    past = iter(already)
    with closing(plan):
        try:
            step = next(plan)
            while True:
                step = plan.send(await outcome_of(step, call, past))
        except StopIteration as over:
            verdict: Verdict = over.value
            return verdict


async def outcome_of(step: Action | Turn, call: Call, past: Iterator[Outcome]) -> Outcome:
    """Perform one step, unless it lies in the past. A step that crashes has failed, and the call goes on."""
    if isinstance(step, Turn):
        call.turned(step)
        return Outcome.DONE
    if (was := next(past, None)) is not None:
        return was
    try:
        outcome = await perform(step, call)
    except HungUp:
        raise
    except Exception:  # the caller gets the next step, not our trouble
        log.exception("step_failed", step=step.step)
        outcome = Outcome.FAILED
    call.performed(step, outcome)
    return outcome


async def left(call: Call, gone: HungUp) -> Ending:
    """The caller's leg has ended: by hanging up (unanswered: abandoned), or lost with Asterisk itself.

    What a caller had said to the voicemail is not lost with it. One whom we had not answered may have been
    taken to the fallback by Asterisk, when an engine before us had died, and talked to somebody there.
    """
    if call.answered is None and (served := await call.line.served(gone.ended)):
        return call.served(served)
    if gone.ended.lost:
        result = Result.VOICEMAIL if call.reached is Result.VOICEMAIL else Result.LOST
        return Ending(result, "lost", gone.ended.at, gone.ended.cause)
    return Ending(call.reached or Result.ABANDONED, "caller", gone.ended.at, NORMAL_CLEARING)
