"""The walk over a route: a pure generator that yields what to perform and receives the outcome.

The engine performs it live, `callengine explain` prints it, a test compares it with a table. After a crash
the outcomes of the journal are sent through it, up to the step where the call was.
"""

from collections.abc import Sequence

from dialplan.result import OPEN, Verdict
from dialplan.step import Facts, Plan, StepModel


def walk(steps: Sequence[StepModel], facts: Facts, so_far: Verdict = OPEN) -> Plan:
    """Yield the steps to perform, in order, until the route is over; return the result of the call.

    A step's branch (`busy:`, `closed:`, …), once taken, is the rest of the route. A route is a tree, so every
    walk ends.
    """
    for step in steps:
        so_far = yield from step.plan(facts, so_far)
        if so_far.final:
            break
    return so_far
