"""What sound costs: a call with G.711, one that is recorded, a message taken; in CPU of each process.

The systems run side by side under the same load. In turn they differ by a third from one run to the next,
with a neighbour's load on the machine; side by side, that meets all of them at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.calls import medians
from bench.processes import cpu_seconds
from bench.rates import rest
from bench.sipp import MESSAGES, RECORDED, Drive
from bench.systems import Open, System
from bench.waiting import Tell

CAP = 200
IDLE_SECONDS = 4.0
TALK = Drive(3, 20, talk=10, media=True)
RECORDED_TALK = replace(TALK, number=RECORDED)
MESSAGE = replace(TALK, number=MESSAGES, talk=6)  # a greeting and a beep of a second, and five of message


@dataclass(frozen=True, slots=True)
class Cost:
    """`placed` calls of which `failed`; `cpu`: ms a call of each process, what it takes idle taken off."""

    placed: int
    failed: int
    cpu: Mapping[str, float]


async def measure(
    systems: Mapping[str, Open], folder: Path, seconds: float, turns: int, tell: Tell
) -> dict[str, dict[str, Any]]:
    """By kind of call and system: what calls that come in for so long cost; medians of the turns."""
    kinds = {"talk": (TALK, talked), "recorded": (RECORDED_TALK, talked), "message": (MESSAGE, left)}
    async with AsyncExitStack() as held:
        running = {
            name: await held.enter_async_context(open_it(folder / name, CAP))
            for name, open_it in systems.items()
        }
        told: dict[str, list[dict[str, Cost]]] = {kind: [] for kind in kinds}
        for number in range(1, turns + 1):
            for kind, (drive, calls) in kinds.items():
                tell(f"turn {number} of {turns}, side by side: {kind}")
                told[kind].append(await side_by_side(running, replace(drive, seconds=seconds), calls))
        return {
            kind: {name: over([one[name] for one in costs]) for name in systems}
            for kind, costs in told.items()
        }


def over(turns: Sequence[Cost]) -> dict[str, Any]:
    """Calls added up, medians of what each process took, and the least and most of all of them together."""
    whole = [sum(one.cpu.values()) for one in turns]
    return {
        "placed": sum(one.placed for one in turns),
        "failed": sum(one.failed for one in turns),
        "cpu": medians([one.cpu for one in turns]),
        "spread": (min(whole), max(whole)),
    }


async def side_by_side(systems: Mapping[str, System], drive: Drive, calls: "Calls") -> dict[str, Cost]:
    costs = await asyncio.gather(*(cost(system, drive, calls) for system in systems.values()))
    return dict(zip(systems, costs, strict=True))


async def cost(system: System, drive: Drive, calls: "Calls") -> Cost:
    clock = asyncio.get_running_loop().time
    await rest(system)
    idle = await idle_cpu(system)
    began, before = clock(), cpu_seconds(system.pids)
    done = await calls(system, drive)
    await rest(system)  # the worker's part comes after the call
    took, after = clock() - began, cpu_seconds(system.pids)
    spent = {name: after[name] - before[name] - idle[name] * took for name in after}
    return Cost(
        drive.calls, drive.calls - done, {name: 1000 * of / drive.calls for name, of in spent.items()}
    )


async def idle_cpu(system: System) -> dict[str, float]:
    """CPU seconds a second of each process while there is no call."""
    before = cpu_seconds(system.pids)
    await asyncio.sleep(IDLE_SECONDS)
    after = cpu_seconds(system.pids)
    return {name: (after[name] - before[name]) / IDLE_SECONDS for name in after}


# Place these calls; how many went all the way.
Calls = Callable[[System, Drive], Awaitable[int]]


async def talked(system: System, drive: Drive) -> int:
    return len((await system.ends.drive(drive)).calls)


async def left(system: System, drive: Drive) -> int:
    return await system.ends.leave(drive)
