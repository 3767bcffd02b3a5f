"""Perform `limit`: count the call in, unless there are as many as there may be."""

from dialplan.result import Choice
from dialplan.step import OVER_LIMIT, WITHIN_LIMIT
from dialplan.steps.limit import Limit
from engine.call import Call


async def limit(step: Limit, call: Call) -> Choice:
    """Count the call and decide without an await in between: no two calls get the last place."""
    return WITHIN_LIMIT if call.enter(step, step.calls) else OVER_LIMIT
