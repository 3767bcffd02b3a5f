"""Versions of 10,000 numbers are applied while five calls a second come in: none fails, the loop goes on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import pytest

from bench.applying import change, write_folder
from bench.processes import resident_bytes
from devkit.carrier import Answers, carrier
from devkit.phones import Phones, phones, shown
from devkit.stack import Stack, Wish, stack
from storage.calls import find
from tests.lateness import PATIENCE, late
from tests.live.agreed import new_caller
from tests.live.service import until
from tests.live.test_applied import callengine
from tests.tiers import heavy

RATE, VERSIONS, NUMBERS = 5.0, 5, 10_000
LONGEST_GAP = 0.05  # s
OFFICE = "+3221112233"  # what each number of the folder rings, besides a number of its own
MEGABYTE = 1e6


@dataclass
class Calls:
    """Calls that come in at RATE, one to each number, until the block ends."""

    run: Stack
    telephones: Phones
    dialled: list[str] = field(default_factory=list)
    talking: list[asyncio.Task[None]] = field(default_factory=list)

    async def place(self) -> None:
        while True:
            number = f"+3278{len(self.dialled) + 100:06}"
            self.dialled.append(number)
            self.talking.append(asyncio.create_task(self._one(number)))
            await asyncio.sleep(1 / RATE)

    async def _one(self, number: str) -> None:
        caller = await self.telephones.dial(number, self.run.sip, shown(new_caller()))
        await caller.wait_answered()
        await caller.hang_up()
        await caller.wait_ended()


@asynccontextmanager
async def calls_coming(run: Stack, telephones: Phones) -> AsyncIterator[Calls]:
    """Afterwards all calls are over, and each was answered: `wait_answered` raises CallOver."""
    calls = Calls(run, telephones)
    placing = asyncio.create_task(calls.place())
    yield calls
    placing.cancel()
    await asyncio.wait([placing])
    await asyncio.gather(*calls.talking)


class Gap:
    """`worst`: the longest time, in s, that the engine's event loop took to answer."""

    def __init__(self, run: Stack) -> None:
        self._address = run.metrics.replace("/metrics", "/live")
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.to_thread(self._ask)
            self.worst = max(self.worst, time.monotonic() - began)
            await asyncio.sleep(0.005)

    def _ask(self) -> None:
        with urlopen(self._address, timeout=PATIENCE) as reply:  # noqa: S310 - ours
            reply.read()


def engine_of(run: Stack) -> int:
    return next(part.process.pid for part in run.parts if part.name == "engine" and part.process)


def in_force(run: Stack) -> str:
    with urlopen(run.metrics.replace("/metrics", "/ready"), timeout=PATIENCE) as reply:  # noqa: S310 - ours
        return str(json.load(reply)["routing"]["version"])


@heavy
@pytest.mark.alone
@pytest.mark.timeout(1200)
async def test_versions_are_applied_under_calls(tmp_path: Path) -> None:
    edited, link, state = tmp_path / "edited", tmp_path / "routing", tmp_path / "state"
    write_folder(edited, NUMBERS)
    link.symlink_to(edited)
    async with AsyncExitStack() as opened:
        telephones = await opened.enter_async_context(phones())
        behaviour = {OFFICE: Answers()}
        network = await opened.enter_async_context(carrier(telephones, behaviour))
        run = await opened.enter_async_context(stack(Wish(link, state, network.address), print))
        await callengine("apply", str(edited), "--state", str(state))  # this user has read the folder once
        gap = Gap(run)
        watching = asyncio.create_task(gap.watch())
        opened.callback(watching.cancel)
        memory, took = [], []
        async with calls_coming(run, telephones) as calls:
            await until(lambda: len(calls.dialled) > 2 * RATE)
            before, gap.worst = gap.worst, 0.0
            for n in range(VERSIONS):
                change(edited, n, 500_000 + n)
                version, began = await asyncio.to_thread(in_force, run), time.monotonic()
                await callengine("apply", str(edited), "--state", str(state))
                took.append(time.monotonic() - began)
                assert await asyncio.to_thread(in_force, run) != version
                memory.append(resident_bytes(engine_of(run)) / MEGABYTE)
        report = (
            f"{len(calls.dialled)} calls; longest gap {1000 * before:.0f} ms before, {1000 * gap.worst:.0f} "
            f"meanwhile, the machine {1000 * late().total_seconds():.0f} ms late; "
            f"apply {rounded(took, 1)} s; engine {rounded(memory, 0)} MB"
        )
        print(report)
        assert await outcomes(run, len(calls.dialled)) == {"answered"}, report
        assert gap.worst < max(LONGEST_GAP, before) + late().total_seconds(), report
        assert memory[-1] < memory[1] + memory[0] / 10, f"old versions are still in memory: {report}"


def rounded(figures: list[float], digits: int) -> str:
    return ", ".join(f"{figure:.{digits}f}" for figure in figures)


async def outcomes(run: Stack, calls: int) -> set[str]:
    """The outcomes of all calls, once all have their record."""
    con = await asyncpg.connect(run.database)
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found := [record async for record in find(con)]) < calls:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.1)
    finally:
        await con.close()
    return {record.outcome for record in found}
