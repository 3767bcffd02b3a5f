"""Setup times at several rates, the cost of a call, and the highest rate that is held."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from bench.calls import Load, quantile, summary
from bench.known import note
from bench.processes import cpu_seconds
from bench.sipp import RACE, Drive
from bench.systems import System

HELD_P99_MS = 500
LOWEST_THINKABLE, HIGHEST_THINKABLE = 1.0, 1400.0
LOOK_SECONDS = 0.5
IDLE_CPU_SECONDS = 0.06  # in that time: an idle service uses 0.03
LONGEST_REST = 15.0


@dataclass(frozen=True, slots=True)
class Round:
    """One round on one system: delays by rate, and CPU of each process at `costs_at`, in ms a call."""

    delays: Mapping[str, Mapping[str, float]]
    race: Mapping[str, float]
    cpu: Mapping[str, float]


async def one_round(system: System, rates: Mapping[float, float], costs_at: float) -> Round:
    """`rates`: calls a second, and for how many seconds."""
    delays, cpu = {}, {}
    for rate, seconds in rates.items():
        await rest(system)
        before = cpu_seconds(system.pids)
        load = await system.ends.drive(Drive(rate, seconds))
        await rest(system)  # the worker works after the call
        await note(system, f"{rate:g} calls/s", load)
        if rate == costs_at:
            after = cpu_seconds(system.pids)
            cpu = {name: (after[name] - before[name]) * 1000 / load.placed for name in after}
        delays[f"{rate:g}"] = summary(load)
    race = await system.ends.drive(Drive(5, 4, number=RACE))
    await note(system, "calls that three destinations ring for", race)
    return Round(delays, summary(race), cpu)


@dataclass(frozen=True, slots=True)
class Search:
    """Where to begin the search for the highest rate, and the factor of each step."""

    begin: float
    stride: float = 2.0


async def highest_rate(system: System, seconds: float, search: Search, close: float) -> float:
    """The highest rate at which no call fails and 99 of 100 are set up within 0.5 s, for `seconds`.

    Step up or down from the beginning until the rate is between two others, then bisect, until the upper is
    at most `close` times the lower.
    """
    good, bad = 0.0, search.begin
    while bad < HIGHEST_THINKABLE and await is_held(system, bad, seconds):
        good, bad = bad, bad * search.stride
    while not good:
        lower = bad / search.stride
        if lower < LOWEST_THINKABLE or await is_held(system, lower, seconds):
            good = lower
        else:
            bad = lower
    while bad / good > close * 1.0001:
        middle = (good * bad) ** 0.5
        if await is_held(system, middle, seconds):
            good = middle
        else:
            bad = middle
    return good


async def is_held(system: System, rate: float, seconds: float) -> bool:
    await rest(system)
    return held(await system.ends.drive(Drive(rate, seconds)))


def held(load: Load) -> bool:
    return not load.failed and quantile([call.setup for call in load.calls], 0.99) < HELD_P99_MS


async def rest(system: System) -> None:
    """Wait until the system is idle, at most 15 s."""
    deadline = asyncio.get_running_loop().time() + LONGEST_REST
    before = sum(cpu_seconds(system.pids).values())
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        now = sum(cpu_seconds(system.pids).values())
        if now - before < IDLE_CPU_SECONDS:
            return
        before = now
