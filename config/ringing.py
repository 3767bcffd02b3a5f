"""Routes that ring in vain: for too long before anybody answers, or the same destination twice at once.

Most networks end a call that rings for longer; until then the caller waits in vain.
"""

from collections.abc import Iterator, Sequence

from config.errors import At
from config.reachable import is_steps
from dialplan.step import StepModel, values_in, visit
from dialplan.strategy import LONGEST_RINGING


def objections(steps: Sequence[StepModel]) -> Iterator[tuple[At, str]]:
    """Return what a route has of this kind, each with its place."""
    yield from ((at, step.objection) for at, step in visit(steps) if step.objection)
    yield from rings_too_long(steps, ("route",))


def rings_too_long(steps: Sequence[StepModel], at: At, before: int = 0) -> Iterator[tuple[At, str]]:
    """Return the places at which a caller has heard too much ringing, in this list and in each branch.

    `before`: the seconds before these steps. A branch is the rest of the route; steps of `use` go on.
    """
    ringing = before
    for place, step in enumerate(steps):
        here = (*at, place, step.step)
        ringing += step.ringing
        if ringing > LONGEST_RINGING:
            yield (
                here,
                (
                    f"callers may hear ringing for {ringing} seconds until here; make it {LONGEST_RINGING} "
                    "at most, or let a voicemail come before"
                ),
            )
            return
        for inner, value in values_in(vars(step), here):
            if is_steps(value):
                yield from rings_too_long(value, inner, ringing)
        if step.uses_file:
            ringing += longest(vars(step)["route"])


def longest(steps: Sequence[StepModel]) -> int:
    """Return for how many seconds a caller hears ringing in these steps, if they come to their end."""
    return sum(step.ringing + (longest(vars(step)["route"]) if step.uses_file else 0) for step in steps)
