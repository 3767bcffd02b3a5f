"""The systems that are compared: each takes calls at one address and sends them to another.

All use the same Asterisk configuration. The plain dialplan's line for the benchmark's numbers is more
specific than the engine's door, so it is executed instead of it. `door` is that dialplan behind the door.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

from bench.failures import kinds_of
from bench.plain import lay_out, load, put_behind_the_door, write_prompt
from bench.sipp import (
    DESTINATION,
    LOOPBACK,
    MESSAGES,
    NUMBER,
    RACE,
    RACERS,
    RECORDED,
    Drive,
    Ends,
    SippTrouble,
)
from devkit.asterisk import Options, start_asterisk
from devkit.children import free_port, spawn, stop
from devkit.stack import Wish, stack

READY_SECONDS = 20.0

OWNER = "name: Benchmark\nlanguage: en\nmail: office@bench.example\nrecording_notice: prompt\n"
# The plain dialplan announces the recording to the caller only.
OWNER += "destinations_know: true\n"
FILE = "number: {number}\nowner: bench\ntimezone: Europe/Brussels\n{more}route:\n  - {step}\n"
RING = "ring: {{to: {to}, seconds: 30}}"


@dataclass(frozen=True, slots=True)
class System:
    """A running system. `pids`: its processes, by name; `state`: the folder of its files.

    `failures`: the loads with failed calls (bench/known.py).
    """

    ends: Ends
    pids: Mapping[str, int]
    state: Path
    routing: Path | None = None
    metrics: str | None = None
    database: str | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)


# `open_it(state, cap)` starts a system in a folder of its own, for `cap` concurrent calls.
Opened = AbstractAsyncContextManager[System]
Open = Callable[[Path, int], Opened]


@asynccontextmanager
async def dialplan(state: Path, cap: int) -> AsyncIterator[System]:
    """`Dial()`, with CDR and CEL written to files."""
    lay_out(state)
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    with start_asterisk(state, Options(carrier, cap=cap, number_cap=cap)) as asterisk:
        asterisk.wait_until_ready()
        load(asterisk)
        yield await warm(System(Ends(asterisk.endpoint.sip, carrier), {"asterisk": asterisk.pid}, state))


@asynccontextmanager
async def door(state: Path, cap: int) -> AsyncIterator[System]:
    """The same `Dial()`, after the checks of the engine's door and in place of Stasis()."""
    lay_out(state)
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    with start_asterisk(state, Options(carrier, cap=cap, number_cap=cap)) as asterisk:
        asterisk.wait_until_ready()
        put_behind_the_door(asterisk)
        load(asterisk)
        yield await warm(System(Ends(asterisk.endpoint.sip, carrier), {"asterisk": asterisk.pid}, state))


@asynccontextmanager
async def engine(state: Path, cap: int) -> AsyncIterator[System]:
    """The whole service: engine, worker and PostgreSQL; journal, records, leases, metrics and logs on."""
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    wish = Wish(write_routing(state / "routing"), state, carrier, cap=cap, number_cap=cap)
    async with stack(wish, lambda _: None) as run:
        pids = {part.name: part.process.pid for part in run.parts if part.process is not None}
        yield await warm(System(Ends(run.sip, carrier), pids, state, wish.routing, run.metrics, run.database))


def write_routing(folder: Path, others: int = 0) -> Path:
    """Write a routing folder with the benchmark's numbers and `others` more."""
    for name in ("owners", "numbers", "prompts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "owners" / "bench.yaml").write_text(OWNER)
    write_prompt(folder / "prompts" / "prompt.wav")
    write_number(folder, NUMBER)
    write_number(folder, RACE, ring(f"[{', '.join(RACERS)}]"))
    write_number(folder, RECORDED, more="record: announce\n")
    write_number(folder, MESSAGES, "voicemail: prompt")
    for number in range(others):
        write_number(folder, f"+3290{number:07d}")
    return folder


def write_number(folder: Path, number: str, step: str = "", more: str = "") -> None:
    """Write the file of a number; its step rings the destination unless `step` is given."""
    text = FILE.format(number=number, step=step or ring(DESTINATION), more=more)
    (folder / "numbers" / f"{number[1:]}.yaml").write_text(text)


def ring(to: str) -> str:
    return RING.format(to=to)


def other(command: str) -> Open:
    """A command that takes the benchmark's calls; {sip} and {carrier} in it are replaced by HOST:PORT."""

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
    """Place calls until all succeed: caches and thread pools are filled then."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while failures := (await system.ends.drive(Drive(20, 2, talk=0.2))).failures:
        if asyncio.get_running_loop().time() > deadline:
            how = f"calls to {system.ends.sip} fail: {kinds_of(failures)}"
            raise SippTrouble(f"{how}; its logs are in {system.state}")
        await asyncio.sleep(0.2)
    return system
