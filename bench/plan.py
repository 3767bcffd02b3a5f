"""How much is measured, which decides how long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """`turns`: how often each system is measured, `sound_turns` with audio; figures are their medians.

    `rates`: calls a second, each with its seconds. `costs_at`: the rate whose CPU is reported. `beside`: how
    many calls are live while the cost of a call is measured, few and many. `hold`: seconds that a rate must
    be held. `cap`: concurrent calls, at 1.1 s each. `sounds`: seconds in which calls with audio begin.
    `live`: numbers of calls whose memory is measured; `media`: the same with G.711, or 0. `drain`, `mails`:
    numbers of calls and mails. `records`: sizes of the database.
    """

    name: str
    turns: int
    sound_turns: int
    beside: tuple[int, int]
    rates: Mapping[float, float]
    hold: float
    begin: float
    close: float
    cap: int
    sounds: float
    live: tuple[int, ...]
    media: int
    lag_seconds: float
    numbers: int
    drain: int
    mails: int
    records: tuple[int, ...]
    costs_at: float = 50


FULL = Plan(
    name="full",
    turns=5,
    sound_turns=5,
    beside=(30, 600),
    rates={20: 5, 50: 5, 100: 5},
    hold=8,
    begin=128,
    close=1.07,
    cap=1000,
    sounds=10,
    live=(200, 1000, 2000),
    media=200,
    lag_seconds=12,
    numbers=10_000,
    drain=5_000,
    mails=3_000,
    records=(1_000_000,),
)
QUICK = Plan(
    name="quick",
    turns=1,
    sound_turns=1,
    beside=(30, 200),
    rates={20: 4, 50: 4},
    hold=3,
    begin=100,
    close=1.2,
    cap=600,
    sounds=5,
    live=(200,),
    media=0,
    lag_seconds=6,
    numbers=2_000,
    drain=2_000,
    mails=1_000,
    records=(100_000,),
)
HUGE = 10_000_000
