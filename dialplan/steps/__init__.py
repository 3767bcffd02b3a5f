"""The steps of a route: one file for each step, whose docstring is the step's documentation.

Other packages use what all steps have in common; only `engine/steps/` refers to a step by its name.
"""

from dialplan.route import STEPS, Steps, register, visit
from dialplan.steps.announce import Announce
from dialplan.steps.callers import Callers
from dialplan.steps.hangup import Hangup
from dialplan.steps.hours import Hours
from dialplan.steps.limit import Limit
from dialplan.steps.menu import Menu
from dialplan.steps.rate import Rate
from dialplan.steps.ring import Ring
from dialplan.steps.share import Share
from dialplan.steps.switch import Switch
from dialplan.steps.switch_by_pin import SwitchByPin
from dialplan.steps.use import Use
from dialplan.steps.voicemail import Voicemail
from dialplan.steps.wait import Wait

# To be imported from here, so that the registry is filled.
__all__ = ["STEPS", "Steps", "visit"]

register(
    Announce,
    Callers,
    Hangup,
    Hours,
    Limit,
    Menu,
    Rate,
    Ring,
    Share,
    Switch,
    SwitchByPin,
    Use,
    Voicemail,
    Wait,
)
