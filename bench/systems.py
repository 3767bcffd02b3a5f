"""The systems that are compared: each takes calls at one address and sends them on to another.

The plain dialplan and the engine run the very same Asterisk configuration; the dialplan's one line for the
benchmark's numbers is more specific than the engine's door, and so goes before it.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM

from bench.sipp import DESTINATION, LOOPBACK, NUMBER, RACE, RACERS, Drive, Ends, SippTrouble
from engine.dev.asterisk import Options, start_asterisk
from engine.dev.children import free_port, spawn, stop
from engine.dev.parts import PartTrouble
from engine.dev.stack import Wish, stack

READY_SECONDS = 20.0

PLAIN = """\
[inbound]
exten => {number},1,Dial({one},30)
exten => {race},1,Dial({three},30)
"""
# What a user of the plain dialplan would keep of his calls.
CDR = """\
[mappings]
Master.csv => ${CSV_QUOTE(${CDR(src)})},${CSV_QUOTE(${CDR(dst)})},${CSV_QUOTE(${CDR(start)})},\
${CSV_QUOTE(${CDR(answer)})},${CSV_QUOTE(${CDR(end)})},${CSV_QUOTE(${CDR(disposition)})},${CSV_QUOTE(${CDR(uniqueid)})}
"""

OWNER = "name: Benchmark\nlanguage: en\n"
ROUTE = (
    "number: {number}\nowner: bench\ntimezone: Europe/Brussels\nroute:\n  - ring: {{to: {to}, seconds: 30}}\n"
)


@dataclass(frozen=True, slots=True)
class System:
    """A system that takes calls. `pids`: its processes, by name; `state`: where it keeps its files."""

    ends: Ends
    pids: Mapping[str, int]
    state: Path
    routing: Path | None = None
    metrics: str | None = None
    database: str | None = None


# `open_it(state, cap)`: in a folder of its own, for so many calls at once.
Opened = AbstractAsyncContextManager[System]
Open = Callable[[Path, int], Opened]


@asynccontextmanager
async def dialplan(state: Path, cap: int) -> AsyncIterator[System]:
    """`Dial()`, with CDR and CEL written to files."""
    etc = state / "etc"
    etc.mkdir(parents=True)
    one, three = (dial(*numbers) for numbers in ((DESTINATION,), RACERS))
    (etc / "fallback.conf").write_text(PLAIN.format(number=NUMBER, race=RACE, one=one, three=three))
    (etc / "cdr_custom.conf").write_text(CDR)
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    with start_asterisk(state, Options(carrier, cap=cap)) as asterisk:
        asterisk.wait_until_ready()
        (asterisk.endpoint.log.parent / "cdr-custom").mkdir()
        (etc / "cdr.conf").write_text("[general]\nenable = yes\n")
        lines = ("module reload cdr", "module load cdr_custom.so", "cdr show status")
        *_, said = map(asterisk.cli, lines)
        if "Enabled" not in said or "custom" not in said:
            raise PartTrouble(f"Asterisk writes no CDRs: {said}")
        yield await warm(System(Ends(asterisk.endpoint.sip, carrier), {"asterisk": asterisk.pid}, state))


def dial(*numbers: str) -> str:
    return "&".join(f"PJSIP/{number}@trunk" for number in numbers)


@asynccontextmanager
async def engine(state: Path, cap: int) -> AsyncIterator[System]:
    """The whole service: engine, worker and PostgreSQL; journal, records, leases, metrics and logs on."""
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    wish = Wish(write_routing(state / "routing"), state, carrier, cap=cap)
    async with stack(wish, lambda _: None) as run:
        pids = {part.name: part.process.pid for part in run.parts if part.process is not None}
        yield await warm(System(Ends(run.sip, carrier), pids, state, wish.routing, run.metrics, run.database))


def write_routing(folder: Path, others: int = 0) -> Path:
    """A routing folder with the benchmark's numbers, and `others` beside them."""
    for name in ("owners", "numbers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "owners" / "bench.yaml").write_text(OWNER)
    routes = {NUMBER: DESTINATION, RACE: f"[{', '.join(RACERS)}]"}
    routes |= {f"+3290{number:07d}": DESTINATION for number in range(others)}
    for number, to in routes.items():
        (folder / "numbers" / f"{number[1:]}.yaml").write_text(ROUTE.format(number=number, to=to))
    return folder


def other(command: str) -> Open:
    """Any command that takes calls for the benchmark's numbers: {sip}, {carrier} in it become HOST:PORT."""

    @asynccontextmanager
    async def run(state: Path, cap: int) -> AsyncIterator[System]:
        ends = Ends(*(f"{LOOPBACK}:{free_port(SOCK_DGRAM)}" for _ in range(2)))
        words = [word.format(sip=ends.sip, carrier=ends.carrier, cap=cap) for word in shlex.split(command)]
        process = spawn(words, state / "log")
        try:
            yield await warm(System(ends, {Path(words[0]).name: process.pid}, state))
        finally:
            stop(process)

    return run


async def warm(system: System) -> System:
    """Place calls until they go through: caches are filled, threads are there, and nothing is broken."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while (await system.ends.drive(Drive(20, 2, talk=0.2))).failed:
        if asyncio.get_running_loop().time() > deadline:
            raise SippTrouble(f"calls to {system.ends.sip} do not go through; its logs are in {system.state}")
        await asyncio.sleep(0.2)
    return system
