"""Perform `rate`: count the call of this caller, unless there are as many as there may be."""

from dialplan.result import Choice
from dialplan.step import OVER_LIMIT, WITHIN_LIMIT
from dialplan.steps.rate import Rate
from engine.call import Call


async def rate(step: Rate, call: Call) -> Choice:
    """Count the call and decide without an await in between: no two calls get the last place."""
    is_within = call.services.may_call(call.state, step.path, step.calls, step.minutes * 60)
    return WITHIN_LIMIT if is_within else OVER_LIMIT
