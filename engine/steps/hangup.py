"""Perform `hangup`: there is nothing to do."""

from dialplan.result import Outcome
from dialplan.steps.hangup import Hangup
from engine.call import Call


async def hangup(step: Hangup, call: Call) -> Outcome:
    """The walk ends here; engine.handle hangs up with the step's reason."""
    return Outcome.DONE
