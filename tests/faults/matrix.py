"""A cell of the matrix: real calls, a fault in the middle of them, and the oracle's judgement."""

import asyncio
import random
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

from tests.faults.columns import Held, held, holding
from tests.faults.field import Field
from tests.faults.observe import AWAY, database, observe, settle
from tests.faults.observed import Observed
from tests.faults.oracle import judge
from tests.faults.rows import Row
from tests.live.sinks import canary
from tests.live.sip import Agent, Call
from tests.live.traffic.lines import Report
from tests.live.traffic.run import Agreed, agree, traffic
from tests.live.traffic.seen import Seen
from tests.live.traffic.summary import hit

PATIENCE = 20.0  # s until a caller gives up: of a dead Asterisk nobody hears anything
LINES = 10  # calls beside each other: as many as there are kinds of them
BEFORE, BETWEEN, AFTER = 4.0, 2.0, 2.0  # s of calls before the first fault, between two, and after the last
ALONE: Sequence[Held | None] = (None,)  # under calls alone
MEASURED = ("longest wait for service", "longest absence", "lateness of the machine")
# Of some recordings the deadline passes at once, wherever they are by then: owners keep for an hour at least.
HURRY = """
UPDATE audio SET destroy_after = now() WHERE kind = 'recording' AND state IN ('recorded', 'stored')
    AND destroy_after > now() + interval '1 minute' AND hashtext(audio_id) % 3 = 0
"""


@dataclass(frozen=True)
class Cell:
    """What came of it. `hits`: how many calls were in each phase when a fault struck.

    `reached`: for each phase of a message or recording in which the faults struck, by its name, whether the
    worker came to the point at which it was held.
    """

    rows: Sequence[str]
    calls: int
    hits: Mapping[str, int]
    violations: Mapping[str, Sequence[str]]
    reached: Mapping[str, bool]
    seconds: float
    measured: Mapping[str, float]
    counted: Mapping[str, int]


async def run(
    field: Field,
    rows: Sequence[Row],
    phases: Sequence[Held] = (),
    lines: Sequence[Agreed] | None = None,
    length: float = 0.0,
) -> Cell:
    """Let calls go on, these faults strike one after the other, and look at what is left of all.

    `phases`: each fault strikes once in each of them. `lines`: new ones without it. `length`: so many
    seconds of calls at least, half of them before the first fault.
    """
    began, at = datetime.now(UTC), time.monotonic()
    clear(field)
    withheld = canary()
    lines = lines or agree(field.house, LINES)
    reports, reached = await struck(field, rows, phases, lines, length, withheld=withheld)
    seen = [call for report in reports for call in report.seen]
    await settle(field, {call.number for call in seen}, began)
    it = await observe(field, reports, began, [withheld])
    return Cell(
        rows=[row.name for row in rows],
        calls=len(seen),
        hits=hits(it),
        violations=judge(it) | crashed(field),
        reached=reached,
        seconds=time.monotonic() - at,
        measured=measured(it),
        counted=counted(it),
    )


def crashed(field: Field) -> dict[str, list[str]]:
    """Crashes of Asterisk, which no fault causes. One that was started again is among them."""
    reports = field.crashes.new()
    return {"crash": reports} if reports else {}


def clear(field: Field) -> None:
    """Forget what earlier cells have left."""
    field.absences.clear()
    field.damage = field.damage.next()
    field.mail.mails.clear()


async def struck(
    field: Field,
    rows: Sequence[Row],
    phases: Sequence[Held],
    lines: Sequence[Agreed],
    length: float,
    *,
    withheld: str,
) -> tuple[list[Report], dict[str, bool]]:
    """Let the calls go on and the faults strike. What the calls report; whether each phase was reached."""
    began, seed = time.monotonic(), str(random.randrange(10**6))
    number = withheld_number(field)
    reached: dict[str, bool] = {}
    async with (
        holding(field) if phases else nullcontext(),
        traffic(field.house, lines, seed, PATIENCE) as calls,
        hurrying(field),
    ):
        await asyncio.sleep(max(BEFORE, length / 2))  # of calls before the fault
        for row, phase in product(rows, phases or ALONE):
            async with AsyncExitStack() as broken:
                if phase is not None:
                    reached[phase.name] = await broken.enter_async_context(held(field, phase))
                await broken.enter_async_context(row.fault(field))
                await asyncio.to_thread(call_withheld, field, number, withheld)
                await asyncio.sleep(row.seconds)  # the fault's length
            await asyncio.sleep(BETWEEN)  # of calls between two faults
        await asyncio.sleep(max(AFTER, length - (time.monotonic() - began)))  # of calls after the last
        return await calls.over(), reached


async def run_and_mend(
    field: Field,
    rows: Sequence[Row],
    phases: Sequence[Held] = (),
    lines: Sequence[Agreed] | None = None,
    length: float = 0.0,
) -> Cell:
    """`run`, after which the next cell can be run even if this one broke off; its violation says why."""
    began = time.monotonic()
    try:
        return await run(field, rows, phases, lines, length)
    except Exception as error:  # noqa: BLE001 - whatever it is, hours of other cells go on
        traceback.print_exc()
        await field.mend()
        return Cell(
            rows=[row.name for row in rows],
            calls=0,
            hits={},
            violations={"broken off": [repr(error).partition("\\n")[0]]} | crashed(field),
            reached=dict.fromkeys((phase.name for phase in phases), False),
            seconds=time.monotonic() - began,
            measured=dict.fromkeys(MEASURED, 0.0),
            counted={},
        )


def hits(it: Observed) -> Counter[str]:
    return hit(it.calls, [(away.since, away.until) for away in it.absences])


def measured(it: Observed) -> Mapping[str, float]:
    """How near it came to the bounds, in seconds."""
    waits = [wait for call in it.calls if (wait := waited(call)) is not None]
    away = [absence.until - absence.since for absence in it.absences]
    return dict(zip(MEASURED, (max(waits, default=0.0), max(away, default=0.0), it.late), strict=True))


def counted(it: Observed) -> Mapping[str, int]:
    """How much there was to be judged: an oracle that sees nothing finds nothing."""
    states = Counter(f"{audio.kind} {audio.state}" for audio in it.stored.audio.values())
    return {
        "records": len(it.records),
        "calls in CEL": len(it.cel),
        "mails": sum(bool(mail.voices) for mail in it.mails),
        "recordings heard": sum(bool(audio.voices) for audio in it.stored.audio.values()),
        "messages destroyed": states["message destroyed"],
        "recordings destroyed": states["recording destroyed"],
    }


def waited(call: Seen) -> float | None:
    signs = [leg.began for leg in call.legs] + [span[0] for span in call.sounds[:1]]
    return min(signs) - call.began if signs else None


def withheld_number(field: Field) -> str:
    """A number that anybody may call: it plays a prompt, and hangs up."""
    (number,) = field.house.agree([{"announce": "welcome"}])
    return number


def call_withheld(field: Field, number: str, withheld: str) -> None:
    """Call it with a withheld number, whatever comes of that."""
    headers = (f"P-Asserted-Identity: <sip:{withheld}@127.0.0.1>", "Privacy: id")
    caller = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    with Agent() as telephone, suppress(AssertionError):
        call = Call(telephone, field.house.run.sip, number, caller, headers).invite()
        call.final(2)


@asynccontextmanager
async def hurrying(field: Field) -> AsyncIterator[None]:
    """Let the deadlines of every third recording pass, whatever is away meanwhile."""
    task = asyncio.create_task(hurry(field))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def hurry(field: Field) -> None:
    while True:
        with suppress(*AWAY):
            async with database(field) as con:
                while True:
                    await con.execute(HURRY)
                    await asyncio.sleep(0.2)  # from look to look
        await asyncio.sleep(0.2)  # until the database may be there again


def described(cell: Cell) -> str:
    """A line for those who run it with -s."""
    measured = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in cell.measured.items())
    counted = ", ".join(f"{count} {what}" for what, count in cell.counted.items())
    rows = " + ".join(cell.rows)
    return f"{rows}: {cell.calls} calls in {cell.seconds:.0f} s; {counted}; {measured}; {dict(cell.hits)}"
