"""Perform `limit`: count the call in, unless there are as many as there may be."""

from dialplan.result import Choice
from dialplan.step import OVER_LIMIT, WITHIN_LIMIT, WITHIN_OWNERS_LIMIT
from dialplan.steps.limit import Limit
from engine.call import Call
from engine.call_limits import owner_key


async def limit(step: Limit, call: Call) -> Choice:
    """Count the call and decide without an await in between: no two calls get the last place."""
    if step.of == "owner":
        key = owner_key(call.terms.number.owner)
        is_within = call.services.enter(key, call.line.call_id, step.calls)
        return WITHIN_OWNERS_LIMIT if is_within else OVER_LIMIT
    return WITHIN_LIMIT if call.enter(step, step.calls) else OVER_LIMIT
