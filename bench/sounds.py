"""The CPU cost of audio: a call with G.711, a recorded call, a message.

The systems run side by side under the same load. Measured in turn, they differ by a third from run to run
with other load on the machine; side by side, such load affects all of them at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.calls import Load, medians
from bench.known import note
from bench.processes import cpu_seconds
from bench.rates import rest
from bench.sipp import MESSAGES, RECORDED, Drive
from bench.systems import Open, System
from bench.waiting import Report

CAP = 200
IDLE_SECONDS = 4.0
TALK = Drive(3, 20, talk=10, media=True)
RECORDED_TALK = replace(TALK, number=RECORDED)
MESSAGE = replace(
    TALK, number=MESSAGES, talk=6
)  # a greeting and a beep of one second, and five seconds of message


@dataclass(frozen=True, slots=True)
class Cost:
    """`placed` calls, `failed` of them; `cpu`: ms a call of each process, without its idle CPU.

    `failures`: the load, if a call of it failed.
    """

    placed: int
    failed: int
    cpu: Mapping[str, float]
    failures: Sequence[dict[str, Any]] = ()


async def measure(
    systems: Mapping[str, Open], folder: Path, seconds: float, turns: int, report: Report
) -> dict[str, dict[str, Any]]:
    """By kind of call and system: the cost of calls that begin within `seconds`; medians of the turns."""
    kinds = {"talk": (TALK, talked), "recorded": (RECORDED_TALK, talked), "message": (MESSAGE, left)}
    async with AsyncExitStack() as held:
        running = {
            name: await held.enter_async_context(open_it(folder / name, CAP))
            for name, open_it in systems.items()
        }
        measured: dict[str, list[dict[str, Cost]]] = {kind: [] for kind in kinds}
        for number in range(1, turns + 1):
            for kind, (drive, calls) in kinds.items():
                report(f"turn {number} of {turns}, side by side: {kind}")
                measured[kind].append(await side_by_side(running, replace(drive, seconds=seconds), calls))
        return {
            kind: {name: over([turn[name] for turn in costs]) for name in systems}
            for kind, costs in measured.items()
        }


def over(turns: Sequence[Cost]) -> dict[str, Any]:
    """Sums of calls, medians of each process's CPU, minimum and maximum of all processes together."""
    whole = [sum(turn.cpu.values()) for turn in turns]
    return {
        "placed": sum(turn.placed for turn in turns),
        "failed": sum(turn.failed for turn in turns),
        "cpu": medians([turn.cpu for turn in turns]),
        "spread": (min(whole), max(whole)),
        "failures": [load for turn in turns for load in turn.failures],
    }


async def side_by_side(systems: Mapping[str, System], drive: Drive, calls: "Calls") -> dict[str, Cost]:
    costs = await asyncio.gather(*(cost(system, drive, calls) for system in systems.values()))
    return dict(zip(systems, costs, strict=True))


async def cost(system: System, drive: Drive, calls: "Calls") -> Cost:
    clock = asyncio.get_running_loop().time
    await rest(system)
    idle = await idle_cpu(system)
    began, before = clock(), cpu_seconds(system.pids)
    load = await calls(system, drive)
    await rest(system)  # the worker works after the call
    took, after = clock() - began, cpu_seconds(system.pids)
    spent = {name: after[name] - before[name] - idle[name] * took for name in after}
    noted = len(system.failures)
    await note(system, f"with sound, to {drive.number}", load)
    cpu = {name: 1000 * of / drive.calls for name, of in spent.items()}
    return Cost(drive.calls, len(load.failures), cpu, system.failures[noted:])


async def idle_cpu(system: System) -> dict[str, float]:
    """CPU seconds a second of each process while there is no call."""
    before = cpu_seconds(system.pids)
    await asyncio.sleep(IDLE_SECONDS)
    after = cpu_seconds(system.pids)
    return {name: (after[name] - before[name]) / IDLE_SECONDS for name in after}


# Places these calls and returns what came of them.
Calls = Callable[[System, Drive], Awaitable[Load]]


async def talked(system: System, drive: Drive) -> Load:
    return await system.ends.drive(drive)


async def left(system: System, drive: Drive) -> Load:
    """The calls that succeed have no destination, so there are none in the result."""
    return Load(drive.rate, drive.calls, (), await system.ends.leave(drive))
