"""How each step is performed: one file a step, of the same name as in `dialplan/steps/`."""

from typing import assert_never

from dialplan.result import Outcome
from dialplan.steps import Action, Announce, Hangup, Ring, Voicemail
from engine.call import Call
from engine.steps.announce import announce
from engine.steps.ring import ring
from engine.steps.voicemail import voicemail


async def perform(step: Action, call: Call) -> Outcome:
    """Do what the step says; raises HungUp when the caller is gone."""
    match step:
        case Announce():
            return await announce(step, call)
        case Ring():
            return await ring(step, call)
        case Voicemail():
            return await voicemail(step, call)
        case Hangup():
            return Outcome.DONE  # the walk ends here with this step's reason, and the call hangs up with it
        case _:
            assert_never(step)
