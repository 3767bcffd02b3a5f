"""Perform `hangup`: nothing is left to do."""

from dialplan.result import Outcome
from dialplan.steps.hangup import Hangup
from engine.call import Call


async def hangup(step: Hangup, call: Call) -> Outcome:
    """The walk ends here with the step's reason, and the call is hung up with it (engine.handle)."""
    return Outcome.DONE
