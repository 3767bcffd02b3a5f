"""What a node remembers from one call to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Self

from dialplan.number import ServiceNumber
from engine.breakers import Breakers
from engine.call_limits import CallLimits
from engine.counters import Counters
from engine.switches import FILE, Switches
from journal.entries import Entry


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """Counts of calls at steps, calls beyond steps that limit them, switches, unreachable destinations."""

    counters: Counters
    limits: CallLimits
    switches: Switches
    breakers: Breakers

    @classmethod
    def of(cls, state: Path, unfinished: Mapping[str, Sequence[Entry]], unreachable_in_a_row: int) -> Self:
        """`state`: the state folder. `unfinished`: the calls that an earlier engine has left."""
        switches = Switches(state / FILE)
        switches.read()
        counters = Counters(state / "counters.json")
        return cls(counters, CallLimits(unfinished), switches, Breakers(unreachable_in_a_row))

    def left_out(self, number: ServiceNumber) -> tuple[str, ...]:
        """Return the destinations of this number that a call which comes in now leaves out."""
        if not self.breakers.any_open:
            return ()
        return self.breakers.left_out(number.destinations, monotonic())
