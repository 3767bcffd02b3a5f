"""The terms of a number that apply to a live call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from dialplan.lists import Lists
from dialplan.number import Owner, ServiceNumber
from dialplan.prompt import Prompt
from dialplan.step import NO_LISTS, Facts
from engine.line import Line
from journal.state import CallState


@dataclass(frozen=True, slots=True)
class CallTerms:
    """The terms of a number when the call came in: a reload does not change those of a live call.

    `routing`: the digest of the routing version that contains them; `lists`: its lists of callers.
    `switches`: the names of those that are on now, for the number or its owner. `unreachable`: destinations
    that the call leaves out. `prompt`: by its name, in the owner's language; `prompt_in`: in another.
    """

    number: ServiceNumber
    owner: Owner
    prompt: Callable[[str], Prompt | None]
    longest: timedelta = timedelta(hours=4)
    routing: str = ""
    lists: Lists = NO_LISTS
    switches: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    prompt_in: Callable[[str, str], Prompt | None] | None = None

    def facts(self, line: Line, state: CallState) -> Facts:
        """Return everything that the route may depend on. `state` has what was fixed at the call's start."""
        return self.number.facts(
            line.entered,
            line.caller,
            self.lists,
            call_id=line.call_id,
            switches=state.switches,
            unreachable=state.unreachable,
        )
