"""What a node remembers from one call to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.call_limits import CallLimits
from engine.counters import Counters
from engine.switches import FILE, Switches
from journal.entries import Entry


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """Counts of calls at steps, calls beyond steps that limit them, and the switches that are on."""

    counters: Counters
    limits: CallLimits
    switches: Switches

    @classmethod
    def of(cls, state: Path, unfinished: Mapping[str, Sequence[Entry]]) -> Self:
        """`state`: the state folder. `unfinished`: the calls that an earlier engine has left."""
        switches = Switches(state / FILE)
        switches.read()
        return cls(Counters(state / "counters.json"), CallLimits(unfinished), switches)
