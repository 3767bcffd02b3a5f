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
from bench.waiting import Report
from devkit.ports import NoPorts

Results = dict[str, Any]
# The systems that record and take messages, and that are compared beside few and many live calls.
OURS = {"dialplan", "engine"}


async def measure(plan: Plan, systems: Mapping[str, Open], report: Report, *, huge: bool = False) -> Results:
    """Measure everything; `report` gets lines about the progress. Figures are medians of the turns, in ms.

    `huge`: measure ten million records too.
    """
    results: Results = {"plan": plan.name, "machine": machine.described()}
    others = machine.Others()
    results["systems"] = await compare(plan, systems, report)
    ours = {name: open_it for name, open_it in systems.items() if name in OURS}
    results["sounds"] = await with_sounds(plan, ours, report)
    if "engine" in systems:
        highest = results["systems"]["engine"]["highest"]
        results["engine"] = await look_into_engine(plan, highest / 2, report)
    report("journal, drainer, outbox and records")
    async with folder() as state:
        results["journal"] = await records.journal(state / "journal")
        results["records"] = await ask_for_records(plan, state / "records", report, huge=huge)
    results["machine"]["others"] = round(others.share(), 3)
    return results


async def compare(plan: Plan, systems: Mapping[str, Open], report: Report) -> Results:
    """Measure the systems in turn, so that other load on the machine affects all of them."""
    turns: dict[str, list[Turn]] = {name: [] for name in systems}
    for number in range(1, plan.turns + 1):
        for name, open_it in systems.items():
            async with running(open_it, plan.cap) as system:
                report(f"turn {number} of {plan.turns}: {name}")
                before = turns[name][-1].highest if turns[name] else None
                turns[name].append(await one_turn(plan, system, before, beside=name in OURS))
    return {name: over_turns(turns[name]) for name in systems}


@dataclass(frozen=True, slots=True)
class Turn:
    """`beside`: CPU of a call in ms, by the number of other live calls.

    `failures`: the loads with failed calls.
    """

    round: Round
    highest: float
    beside: Mapping[str, float]
    failures: Sequence[Results] = ()


async def one_turn(plan: Plan, system: System, highest: float | None, *, beside: bool) -> Turn:
    """`highest`: the rate of the previous turn."""
    round_ = await one_round(system, plan.rates, plan.costs_at)
    costs = {}
    for many in plan.beside if beside else ():
        await rest(system)
        costs[str(many)] = await live.cost(system, many)
    search = Search(highest, plan.close) if highest else Search(plan.begin)
    highest = await highest_rate(system, plan.hold, search, plan.close)
    return Turn(round_, highest, costs, system.failures)


def over_turns(turns: Sequence[Turn]) -> Results:
    """Medians, and below `spread` minimum and maximum of the same figures."""
    rounds, highest = [turn.round for turn in turns], [turn.highest for turn in turns]
    beside = [grown(turn.beside) for turn in turns]
    by_rate = {rate: [round_.delays[rate] for round_ in rounds] for rate in rounds[0].delays}
    return {
        "delays": {rate: medians(delays) for rate, delays in by_rate.items()},
        "race": medians([round_.race for round_ in rounds]),
        "cpu": medians([round_.cpu for round_ in rounds]),
        "highest": median(highest),
        "beside": medians(beside),
        "failures": [load for turn in turns for load in turn.failures],
        "spread": {
            "delays": {rate: spread(delays) for rate, delays in by_rate.items()},
            "cpu": spread([round_.cpu for round_ in rounds]),
            "highest": (min(highest), max(highest)),
            "beside": spread(beside),
        },
    }


def grown(beside: Mapping[str, float]) -> dict[str, float]:
    """The costs, and the ratio of the last to the first."""
    if len(beside) < 2:
        return dict(beside)
    few, *_, many = beside.values()
    return {**beside, "grown": many / few}


async def with_sounds(plan: Plan, systems: Mapping[str, Open], report: Report) -> Results:
    async with folder() as state:
        return await sounds.measure(systems, state, plan.sounds, plan.sound_turns, report)


async def look_into_engine(plan: Plan, rate: float, report: Report) -> Results:
    failures: list[Results] = []
    figures: Results = {"failures": failures}
    report("engine: commands and events of a call")
    async with folder() as state:
        figures["traffic"] = await traffic.per_call(state)
    report(f"engine: lag of its loop at {rate:.0f} calls/s, and the memory of live calls")
    async with running(engine, lines_for(plan.cap), failures) as system:
        figures["lag"] = {"rate": rate, "p99": await engine_only.loop_lag(system, rate, plan.lag_seconds)}
        figures["memory"] = await engine_only.memory(system, [n for n in plan.live if n <= plan.cap])
    for size in (n for n in plan.live if n > plan.cap):
        figures["memory"] |= await memory_of_many(size, report, failures)
    if plan.media:
        async with running(engine, plan.media + 50, failures) as system:
            figures["memory_with_media"] = await engine_only.memory(system, [plan.media], media=True)
    report(f"engine: a routing folder of {plan.numbers:,} numbers, changed under load")
    async with running(engine, 200, failures) as system:
        figures["reload"] = await engine_only.reload(system, plan.numbers)
    return figures


async def memory_of_many(size: int, report: Report, failures: list[Results]) -> Results:
    try:
        async with running(engine, lines_for(size), failures) as system:
            return await engine_only.memory(system, [size])
    except NoPorts as error:
        report(f"{size} live calls are not measured: {error}")
        return {}


def lines_for(calls: int) -> int:
    """How many lines so many calls to one number need: it gets nine tenths of them (extensions.conf)."""
    return calls * 10 // 9 + 50


async def ask_for_records(plan: Plan, state: Path, report: Report, *, huge: bool) -> Results:
    """Measure the sizes of the plan, and ten million records if requested and there is room."""
    sizes = [*plan.records]
    if huge and past.has_room(state, HUGE):
        sizes.append(HUGE)
    elif huge:
        report(f"{HUGE:,} records are not measured: there is too little room in {state}; set TMPDIR")
    return await records.storage(state, plan.drain, plan.mails, sizes, report)


@asynccontextmanager
async def running(open_it: Open, cap: int, failures: list[Results] | None = None) -> AsyncIterator[System]:
    """`failures` gets the loads of which calls failed."""
    async with folder() as state, open_it(state / "run", cap) as system:
        yield system
        if failures is not None:
            failures.extend(system.failures)


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A temporary folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        await asyncio.sleep(0)
