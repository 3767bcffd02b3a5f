"""One run of the benchmark, from the first call to its results."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import engine_only, machine, past, records, sounds, traffic
from bench.calls import medians
from bench.plan import HUGE, Plan
from bench.rates import Round, Search, highest_rate, one_round
from bench.systems import Open, System, engine
from bench.waiting import Tell
from engine.dev.ports import NoPorts

Results = dict[str, Any]
# Those whose numbers record and take messages.
OURS = {"dialplan", "engine"}


async def measure(plan: Plan, systems: Mapping[str, Open], tell: Tell, *, huge: bool = False) -> Results:
    """All there is to measure; `tell` gets a line now and then. Figures are medians of the rounds, in ms.

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
    """The systems in turn, round by round: what else happens on the machine meets them all."""
    rounds: dict[str, list[Round]] = {name: [] for name in systems}
    highest: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(1, plan.rounds + 1):
        for name, open_it in systems.items():
            async with running(open_it, plan.cap) as system:
                tell(f"round {number} of {plan.rounds}: {name}, delays")
                rounds[name].append(await one_round(system, plan.rates, plan.costs_at))
                tell(f"round {number} of {plan.rounds}: {name}, highest rate")
                search = Search(highest[name][-1], plan.close) if highest[name] else Search(plan.begin)
                highest[name].append(await highest_rate(system, plan.hold, search, plan.close))
    return {name: over_rounds(rounds[name]) | {"highest": median(highest[name])} for name in systems}


def over_rounds(rounds: Sequence[Round]) -> Results:
    return {
        "delays": {rate: medians([one.delays[rate] for one in rounds]) for rate in rounds[0].delays},
        "race": medians([one.race for one in rounds]),
        "cpu": medians([one.cpu for one in rounds]),
    }


async def with_sounds(plan: Plan, systems: Mapping[str, Open], tell: Tell) -> Results:
    async with folder() as state:
        return await sounds.measure(systems, state, plan.sounds, tell)


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
