"""Calls beside each other, carried by several processes of telephones."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import batched
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any

from tests.live.agreed import new_caller, new_destination, new_number
from tests.live.service import House
from tests.live.traffic.calls import Manner
from tests.live.traffic.exchange import Exchange, exchange
from tests.live.traffic.lines import Report, carry, hold
from tests.live.traffic.script import FALLBACK, OWNER, PATIENCE, SCRIPTS, Line, Plan, Script

LINES_OF_A_PROCESS = 10
UP_SECONDS = 60
OWNERS_FILE = """\
name: Steady
language: en
mail: office@steady.example
audio: wav
recordings: wav
recording_notice: long
"""


@dataclass(frozen=True)
class Agreed:
    """A line, and the destinations behind its numbers; `files`: the numbers' settings."""

    line: Line
    manners: Mapping[str, Manner]
    files: Mapping[str, Mapping[str, Any]]


class Traffic:
    """Calls that go on until they are told that it is over. `exchange`: all their legs pass it."""

    def __init__(self, exchange: Exchange, reports: Sequence["asyncio.Future[Report]"], over: Event) -> None:
        self.exchange = exchange
        self._reports = reports
        self._over = over

    async def up(self) -> None:
        """Wait until all telephones are there."""
        async with asyncio.timeout(UP_SECONDS):
            reached = asyncio.ensure_future(self.exchange.reached(len(self._reports)))
            first: list[asyncio.Future[Any]] = [reached, *self._reports]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        for report in self._reports:
            if report.done():  # too soon: it raises what has happened to it
                report.result()

    async def over(self) -> list[Report]:
        """Let every line end the call it has; what the telephones saw."""
        self._over.set()
        return await asyncio.gather(*self._reports)


@asynccontextmanager
async def traffic(
    house: House, agreed: Sequence[Agreed], seed: str, patience: float = PATIENCE
) -> AsyncIterator[Traffic]:
    """A caller on each of these lines, one call after the other each; all telephones are there.

    `patience`: after so many seconds a caller whom nobody answers gives up.
    """
    groups = list(batched(agreed, LINES_OF_A_PROCESS, strict=False))
    homes = {to: index for index, group in enumerate(groups) for it in group for to in it.manners}
    context = get_context("spawn")
    over = context.Event()
    async with exchange(house.carrier_port, homes) as between:
        with ProcessPoolExecutor(len(groups), context, initializer=hold, initargs=(over,)) as pool:
            loop = asyncio.get_running_loop()
            plans = [plan(house, between, seed, index, group) for index, group in enumerate(groups)]
            reports = [loop.run_in_executor(pool, carry, replace(it, patience=patience)) for it in plans]
            calls = Traffic(between, reports, over)
            try:
                await calls.up()
                yield calls
            finally:
                over.set()
                await asyncio.wait(reports)


def plan(house: House, between: Exchange, seed: str, index: int, group: Sequence[Agreed]) -> Plan:
    host, _, port = house.run.sip.rpartition(":")
    return Plan(
        index=index,
        asterisk=(host, int(port)),
        exchange=between.address,
        seed=f"{seed} {index}",
        lines=tuple(it.line for it in group),
        manners={to: manner for it in group for to, manner in it.manners.items()},
    )


def agree(house: House, lines: int) -> list[Agreed]:
    """So many lines, once their numbers are in force."""
    agreed = [agree_line() for _ in range(lines)]
    (house.routing / "owners" / f"{OWNER}.yaml").write_text(OWNERS_FILE)
    house.write({number: file for it in agreed for number, file in it.files.items()})
    return agreed


def agree_line() -> Agreed:
    """A line, with a number of every kind."""
    scripts: dict[str, Script] = {}
    manners: dict[str, Manner] = {}
    files: dict[str, Mapping[str, Any]] = {}
    for script in SCRIPTS:
        number, fallback = new_number(), new_destination()
        to = [new_destination() for _ in script.manners]
        scripts[number] = script
        manners |= dict(zip([*to, fallback], [*script.manners, FALLBACK], strict=True))
        files[number] = script.settings(to, fallback)
    return Agreed(Line(new_caller(), scripts), manners, files)
