"""One run of the benchmark, from the first call to its results."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import engine_only, live, machine, past, records, sounds, traffic
from bench.calls import medians, spread
from bench.plan import HUGE, Plan
from bench.rates import Round, Search, highest_rate, one_round, rest
from bench.systems import Open, System, engine
from bench.waiting import Tell
from devkit.ports import NoPorts

Results = dict[str, Any]
# Those whose numbers record and take messages, and which are compared beside few and many live calls.
OURS = {"dialplan", "engine"}


async def measure(plan: Plan, systems: Mapping[str, Open], tell: Tell, *, huge: bool = False) -> Results:
    """All there is to measure; `tell` gets a line now and then. Figures are medians of the turns, in ms.

    `huge`: with ten million records too.
    """
    results: Results = {"plan": plan.name, "machine": machine.described()}
    others = machine.Others()
    results["systems"] = await compare(plan, systems, tell)
    ours = {name: open_it for name, open_it in systems.items() if name in OURS}
    results["sounds"] = await with_sounds(plan, ours, tell)
    if "engine" in systems:
        highest = results["systems"]["engine"]["highest"]
        results["engine"] = await look_into_engine(plan, highest / 2, tell)
    tell("journal, drainer, outbox and records")
    async with folder() as state:
        results["journal"] = await records.journal(state / "journal")
        results["records"] = await ask_for_records(plan, state / "records", tell, huge=huge)
    results["machine"]["others"] = round(others.share(), 3)
    return results


async def compare(plan: Plan, systems: Mapping[str, Open], tell: Tell) -> Results:
    """The systems in turn, one after the other: what else happens on the machine meets them all."""
    turns: dict[str, list[Turn]] = {name: [] for name in systems}
    for number in range(1, plan.turns + 1):
        for name, open_it in systems.items():
            async with running(open_it, plan.cap) as system:
                tell(f"turn {number} of {plan.turns}: {name}")
                before = turns[name][-1].highest if turns[name] else None
                turns[name].append(await one_turn(plan, system, before, beside=name in OURS))
    return {name: over_turns(turns[name]) for name in systems}


@dataclass(frozen=True, slots=True)
class Turn:
    """`beside`: CPU of a call in ms beside so many live ones."""

    round: Round
    highest: float
    beside: Mapping[str, float]


async def one_turn(plan: Plan, system: System, highest: float | None, *, beside: bool) -> Turn:
    """`highest`: that of the turn before."""
    one = await one_round(system, plan.rates, plan.costs_at)
    costs = {}
    for many in plan.beside if beside else ():
        await rest(system)
        costs[str(many)] = await live.cost(system, many)
    search = Search(highest, plan.close) if highest else Search(plan.begin)
    return Turn(one, await highest_rate(system, plan.hold, search, plan.close), costs)


def over_turns(turns: Sequence[Turn]) -> Results:
    """Medians, and below `spread` the least and the most of the same figures."""
    rounds, highest = [one.round for one in turns], [one.highest for one in turns]
    beside = [grown(one.beside) for one in turns]
    by_rate = {rate: [one.delays[rate] for one in rounds] for rate in rounds[0].delays}
    return {
        "delays": {rate: medians(delays) for rate, delays in by_rate.items()},
        "race": medians([one.race for one in rounds]),
        "cpu": medians([one.cpu for one in rounds]),
        "highest": median(highest),
        "beside": medians(beside),
        "spread": {
            "delays": {rate: spread(delays) for rate, delays in by_rate.items()},
            "cpu": spread([one.cpu for one in rounds]),
            "highest": (min(highest), max(highest)),
            "beside": spread(beside),
        },
    }


def grown(beside: Mapping[str, float]) -> dict[str, float]:
    """The costs, and the last of them as a multiple of the first."""
    if len(beside) < 2:
        return dict(beside)
    few, *_, many = beside.values()
    return {**beside, "grown": many / few}


async def with_sounds(plan: Plan, systems: Mapping[str, Open], tell: Tell) -> Results:
    async with folder() as state:
        return await sounds.measure(systems, state, plan.sounds, plan.sound_turns, tell)


async def look_into_engine(plan: Plan, rate: float, tell: Tell) -> Results:
    told: Results = {}
    tell("engine: commands and events of a call")
    async with folder() as state:
        told["traffic"] = await traffic.per_call(state)
    tell(f"engine: lag of its loop at {rate:.0f} calls/s, and the memory of live calls")
    async with running(engine, plan.cap) as system:
        told["lag"] = {"rate": rate, "p99": await engine_only.loop_lag(system, rate, plan.lag_seconds)}
        told["memory"] = await engine_only.memory(system, [n for n in plan.live if n <= plan.cap])
    for size in (n for n in plan.live if n > plan.cap):
        told["memory"] |= await memory_of_many(size, tell)
    if plan.media:
        async with running(engine, plan.media + 50) as system:
            told["memory_with_media"] = await engine_only.memory(system, [plan.media], media=True)
    tell(f"engine: a routing folder of {plan.numbers:,} numbers, changed under load")
    async with running(engine, 200) as system:
        told["reload"] = await engine_only.reload(system, plan.numbers)
    return told


async def memory_of_many(size: int, tell: Tell) -> Results:
    try:
        async with running(engine, size + 50) as system:
            return await engine_only.memory(system, [size])
    except NoPorts as none:
        tell(f"{size} live calls are not measured: {none}")
        return {}


async def ask_for_records(plan: Plan, state: Path, tell: Tell, *, huge: bool) -> Results:
    """With the sizes of the plan, and with ten million where they are wanted and there is room for them."""
    sizes = [*plan.records]
    if huge and past.has_room(state, HUGE):
        sizes.append(HUGE)
    elif huge:
        tell(f"{HUGE:,} records are not measured: there is too little room in {state}; set TMPDIR")
    return await records.storage(state, plan.drain, plan.mails, sizes, tell)


@asynccontextmanager
async def running(open_it: Open, cap: int) -> AsyncIterator[System]:
    async with folder() as state, open_it(state / "run", cap) as system:
        yield system


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A short path of our own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        await asyncio.sleep(0)
