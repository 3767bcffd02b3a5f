"""The steps a route is made of: one file a step, its docstring is its documentation.

A new step: `dialplan/steps/x.py` (what may be written), `engine/steps/x.py` (how it is performed), one line here and
one in `engine/steps/__init__.py`, a sample in `config/samples/`, a test. mypy names what was forgotten.
"""

from dialplan.steps.announce import Announce
from dialplan.steps.hangup import Hangup
from dialplan.steps.hours import Hours
from dialplan.steps.ring import Destination, Ring
from dialplan.steps.tree import Step, Steps

# Steps that are performed; the others only decide.
Action = Announce | Hangup | Ring

__all__ = ["Action", "Announce", "Destination", "Hangup", "Hours", "Ring", "Step", "Steps"]
