"""The call, read top to bottom."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import structlog

from dialplan.result import Answer, Outcome, Result, Verdict
from dialplan.step import Draw, Plan, StepModel, Turn
from engine.call import Call
from engine.call_journal import CallJournal
from engine.call_terms import CallTerms
from engine.ending import Farewell, ending_of, loose_ends
from engine.line import HungUp, Line
from engine.steps import perform

log = structlog.get_logger()


async def handle(line: Line, terms: CallTerms | None, journal: CallJournal, *, refused: bool = False) -> None:
    """Attend to one call from its first ring to its record; or continue one that an earlier engine began.

    `terms` is None for a number that is not in the routing. `refused`: do not take the call. Cancellation
    detaches: the call lives on in Asterisk, for the engine that comes after this one.
    """
    journal.services.attend(journal.state)
    farewell = await attend(line, terms, journal, refused=refused)
    ended = await line.over()
    for entry in loose_ends(journal.state, ended):
        journal.append(entry)
    await journal.append(ending_of(journal.state, farewell, ended))


async def attend(
    line: Line, terms: CallTerms | None, journal: CallJournal, *, refused: bool = False
) -> Farewell | None:
    """Walk the caller through the route, and hang up. Return None if the call ended by itself."""
    state = journal.state
    if state.fell_back is not None or (terms is None and state.handed_over is not None):
        return None  # Asterisk has the caller, and takes them to the fallback if nobody answers
    if terms is None:
        return Farewell(Result.FAILED, (await line.turn_away()).cause)
    if refused:  # 486: no carrier tries elsewhere, where a loop would only continue
        return Farewell(Result.REJECTED, (await line.hang_up(Result.BUSY)).cause)
    try:
        result = await route(Call(line, terms, journal))
    except HungUp:
        return None
    except Exception:
        result = Result.FAILED
        log.exception("call_failed")
    if result is Result.ANSWERED:  # the conversation is over, and so is the call
        return None
    await journal.settled()
    return Farewell(result, (await line.hang_up(result)).cause)


async def route(call: Call) -> Result:
    """Return the result of the number's route for this caller."""
    plan = call.terms.number.plan(call.terms.facts(call.line, call.state))
    return (await follow(plan, call, call.state.outcomes)).result


async def follow(plan: Plan, call: Call, already: Sequence[Answer] = ()) -> Verdict:
    """Perform the steps of a plan and send it the answers. Those of the first steps are known `already`."""
    past = iter(tuple(already))
    with closing(plan):
        try:
            step = next(plan)
            while True:
                step = plan.send(await outcome_of(step, call, past))
        except StopIteration as over:
            verdict: Verdict = over.value
            return verdict


async def outcome_of(step: StepModel | Turn | Draw, call: Call, past: Iterator[Answer]) -> Answer:
    """Perform one step, unless its answer is known. A step that raises has failed, and the call goes on."""
    if isinstance(step, Turn):
        call.turned(step)
        return Outcome.DONE
    if (known := next(past, None)) is not None:
        return known
    try:
        answer = call.draw(step) if isinstance(step, Draw) else await perform(step, call)
    except HungUp:
        raise
    except Exception:  # the caller gets the next step
        answer = Outcome.FAILED
        log.exception("step_failed", step=step.step)
    call.performed(step, answer)
    return answer
