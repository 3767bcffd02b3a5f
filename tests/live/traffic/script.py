"""What is called and how it goes: numbers of every kind for each line, and the destinations behind them.

A line has numbers and destinations of its own. So a record is found without knowing who called: that of a
call which no engine saw does not say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.live.traffic.calls import Manner
from tests.live.traffic.instants import Address

Route = list[Mapping[str, Any]]
OWNER = "steady"
PATIENCE = 40.0  # s until a caller gives up whom nobody answers
FALLBACK = Manner(0.2, fallback=True)


@dataclass(frozen=True)
class Script:
    """How a call to such a number goes. A number in `route` is a destination, by its place in `manners`.

    `before`: the phase until a destination rings. `gives_up`: the caller does, after some seconds.
    `consents`: the caller presses 1. `pauses`: the destination presses *1 twice.
    """

    name: str
    route: Route
    manners: tuple[Manner, ...] = ()
    record: str = "off"
    before: str = "arriving"
    gives_up: bool = False
    consents: bool = False
    pauses: bool = False

    def settings(self, to: list[str], fallback: str) -> dict[str, Any]:
        """The number's file. `to`: its destinations."""
        return {"owner": OWNER, "record": self.record, "fallback": fallback, "route": placed(self.route, to)}


BUSY, ENGAGED = Manner(0.5, 486), Manner(1.5, 486, early=True)
RING: Route = [{"ring": 0}]
SCRIPTS = (
    Script("one", RING, (Manner(0.2),)),
    Script("announced", [{"announce": "long"}, {"ring": 0}], (Manner(2.0),), before="announcing"),
    Script("three", [{"ring": {"to": [0, 1, 2]}}], (BUSY, Manner(0.4), Manner(2.0))),
    Script("early media", [{"ring": 0}, {"ring": 1}], (ENGAGED, Manner(0.3))),
    Script("given up", RING, (Manner(None),), gives_up=True),
    Script("recorded", RING, (Manner(2.0),), "announce", before="consent"),
    Script("asked", RING, (Manner(0.5),), "opt_in", before="consent", consents=True),
    Script("paused", RING, (Manner(0.3),), "announce", before="consent", pauses=True),
    Script("voicemail", [{"voicemail": "welcome"}]),
    Script("busy, voicemail", [{"ring": 0}, {"voicemail": "welcome"}], (BUSY,)),
)


@dataclass(frozen=True)
class Line:
    """One caller after the other, with the same caller's number; what they may call."""

    who: str
    scripts: Mapping[str, Script]  # by number


@dataclass(frozen=True)
class Plan:
    """What a process of telephones is to do."""

    index: int
    asterisk: Address
    exchange: Address
    seed: str
    lines: tuple[Line, ...]
    manners: Mapping[str, Manner]  # by destination
    patience: float = PATIENCE


def placed(route: Any, to: list[str]) -> Any:
    """The route with its destinations: a number stands for the one at that place."""
    match route:
        case int():
            return to[route]
        case list():
            return [placed(step, to) for step in route]
        case dict():
            return {key: placed(value, to) for key, value in route.items()}
    return route
