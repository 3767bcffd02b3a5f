"""What a route may be made of: one file a step, whose docstring is the step's documentation."""

from dialplan.destination import Destination, Present
from dialplan.steps.announce import Announce
from dialplan.steps.hangup import Hangup, Reason
from dialplan.steps.hours import Hours
from dialplan.steps.ring import Ring
from dialplan.steps.tree import STEPS, Action, Step, Steps, visit
from dialplan.steps.voicemail import Voicemail

__all__ = [
    "STEPS",
    "Action",
    "Announce",
    "Destination",
    "Hangup",
    "Hours",
    "Present",
    "Reason",
    "Ring",
    "Step",
    "Steps",
    "Voicemail",
    "visit",
]
