"""What a node remembers from one call to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Self

from config.owner_changes import OwnerChanges, changes_in
from dialplan.number import ServiceNumber
from engine.breakers import Breakers
from engine.call_limits import CallLimits
from engine.caller_rates import CallerRates
from engine.counters import Counters
from engine.destinations import Destinations
from engine.pins import Pins
from engine.switches import FILE, Switches
from journal.entries import Entry


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """Counts of calls at steps, calls beyond steps that limit them, switches, destinations, callers, PINs,
    and what owners have changed of their settings."""

    counters: Counters
    limits: CallLimits
    switches: Switches
    destinations: Destinations
    rates: CallerRates
    pins: Pins
    owners: OwnerChanges

    @classmethod
    def of(cls, state: Path, unfinished: Mapping[str, Sequence[Entry]], unreachable_in_a_row: int) -> Self:
        """`state`: the state folder. `unfinished`: the calls that an earlier engine has left."""
        switches = Switches(state / FILE)
        switches.read()
        counters = Counters(state / "counters.json")
        return cls(
            counters,
            CallLimits(unfinished),
            switches,
            Destinations(Breakers(unreachable_in_a_row)),
            CallerRates(),
            Pins(state),
            changes_in(state),
        )

    def left_out(self, number: ServiceNumber) -> tuple[str, ...]:
        """Return the destinations of this number that a call which comes in now leaves out."""
        breakers = self.destinations.breakers
        return breakers.left_out(number.destinations, monotonic()) if breakers.any_open else ()

    def leave(self, call: str) -> None:
        """The call is over."""
        self.limits.leave(call)
        self.destinations.leave(call)
