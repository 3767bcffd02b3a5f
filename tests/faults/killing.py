"""Kills at random moments, of every part at the same time: `python -m tests.faults --kills 1000`."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from devkit.parts import Part, PartTrouble
from tests.faults.breaking import finish
from tests.faults.field import Field

LONGEST_AWAY = 2.0  # s
ATTEMPTS = 3  # to start a part again whose neighbours are killed meanwhile


@dataclass(frozen=True)
class Often:
    """Which share of the kills hits a part, and after how many seconds of service on an average."""

    share: float
    between: float


# Asterisk least often: its death ends every call, and calls are to live until the other kills.
OFTEN: Mapping[str, Often] = {
    "engine": Often(0.35, 1.0),
    "worker": Often(0.3, 1.5),
    "postgres": Often(0.3, 2.0),
    "asterisk": Often(0.05, 20.0),
}


@asynccontextmanager
async def killed_at_random(field: Field, kills: int) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for name, often in OFTEN.items():
            group.create_task(kill_again_and_again(field, name, round(kills * often.share)))
    yield


async def kill_again_and_again(field: Field, name: str, kills: int) -> None:
    part = field.part(name)
    for _ in range(kills):
        await asyncio.sleep(random.expovariate(1 / OFTEN[name].between))  # a random moment
        with field.absence(name, "killed"):
            await finish(part, signal.SIGKILL)
            await asyncio.sleep(random.uniform(0, LONGEST_AWAY))  # for so long it is away
            await start_again(part)


async def start_again(part: Part) -> None:
    """As systemd does it: again, if what it needs was killed while it started."""
    for _ in range(ATTEMPTS - 1):
        with suppress(PartTrouble):
            return await part.start()
    return await part.start()
