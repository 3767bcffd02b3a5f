"""The walk over a route: a pure generator that yields what to perform and is told what came of it.

The engine performs it live, `callengine explain` prints it, a test compares it with a table, and after a
crash the journalled outcomes sent through it lead back to the step where the call was.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dialplan.calendar import Calendar
from dialplan.caller import Caller
from dialplan.result import OPEN, Outcome, Verdict

if TYPE_CHECKING:
    from dialplan.steps import Action, Step


@dataclass(frozen=True, slots=True)
class Facts:
    """All a route may depend on, fixed when the call comes in. `now` is aware (UTC)."""

    now: datetime
    caller: Caller
    zone: ZoneInfo
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision of the route, said aloud: nothing to perform, but `explain` and the journal say why."""

    step: str
    why: str


Plan = Generator["Action | Turn", Outcome, Verdict]


def walk(steps: Sequence["Step"], facts: Facts, so_far: Verdict = OPEN) -> Plan:
    """Yield the steps to perform, in order, until the route is over; return what the call came to.

    A step's branch (`busy:`, `closed:`, …), once taken, is the rest of the route. A route is a tree, so every
    walk ends.
    """
    for step in steps:
        so_far = yield from step.plan(facts, so_far)
        if so_far.final:
            break
    return so_far
