"""The cost of a call while many others are live: a cost that grows with them limits the number of calls."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.failures import kinds_of
from bench.processes import cpu_seconds
from bench.sipp import Drive, destinations, failed_calls, place
from bench.systems import System

RAMP = 50.0  # calls a second until so many are live
SETTLE_SECONDS, IDLE_SECONDS = 2.0, 2.0
MEASURED = Drive(rate=20, seconds=6, talk=0.5)


async def cost(system: System, live: int) -> float:
    """CPU of a call in all processes, ms, while `live` others talk, without the CPU of those.

    Raises ValueError if a call fails: the figure would be wrong.
    """
    ramp = Drive(RAMP, live / RAMP)
    took = ramp.seconds + SETTLE_SECONDS + IDLE_SECONDS + MEASURED.seconds + MEASURED.talk + 3
    with TemporaryDirectory(prefix="bench-") as name:
        folders = [Path(name) / part for part in ("destination", "live", "asked")]
        for folder in folders:
            folder.mkdir()
        async with destinations(system.ends.carrier, folders[0], media=False):
            talking = asyncio.create_task(
                place(system.ends.sip, Drive(RAMP, ramp.seconds, talk=took), folders[1])
            )
            await asyncio.sleep(ramp.seconds + SETTLE_SECONDS)
            spent = await beside_them(system, folders[2])
            await talking
        failures = [
            failed_calls(drive, folder) for drive, folder in zip((ramp, MEASURED), folders[1:], strict=True)
        ]
    if any(failures):
        kinds = [kinds_of(of_drive) for of_drive in failures]
        raise ValueError(
            f"of {ramp.calls} live calls failed: {kinds[0]}; of {MEASURED.calls} measured ones: {kinds[1]}"
        )
    return 1000 * spent / MEASURED.calls


async def beside_them(system: System, folder: Path) -> float:
    """CPU seconds of the measured calls, without those of the system's other work."""
    clock = asyncio.get_running_loop().time
    began, first = clock(), taken(system)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (taken(system) - first) / (clock() - began)
    began, before = clock(), taken(system)
    await place(system.ends.sip, MEASURED, folder)
    await asyncio.sleep(1)  # work after a call
    return taken(system) - before - idle * (clock() - began)


def taken(system: System) -> float:
    return sum(cpu_seconds(system.pids).values())
