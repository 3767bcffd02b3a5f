"""`callengine demo`: real SIP calls with sound through everything there is, told as they happen."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from engine.dev import demo_routing as numbers
from engine.dev.carrier import Arrival, Carrier, carrier
from engine.dev.handset import CallOver, Handset
from engine.dev.phones import WITHHELD, Identity, Phones, phones, shown
from engine.dev.stack import Stack, Wish, stack

CALLER = "+3225551234"
HZ = 1000  # what the caller says
COLUMNS = ("number", "caller", "outcome", "delivered_to", "ring_seconds", "talk_seconds", "ended_by")


@dataclass
class Stage:
    """The phones, the carrier and the run, and the voice that tells what happens."""

    telephones: Phones
    network: Carrier
    run: Stack
    console: Console
    began: float = field(default_factory=time.monotonic)

    def tell(self, line: str) -> None:
        self.console.print(f"  {time.monotonic() - self.began:5.1f} s  {line}", highlight=False)

    async def call(self, number: str, who: Identity) -> Handset:
        """Place a call, the caller saying a tone of HZ all along."""
        self.began = time.monotonic()
        self.tell(f"a caller dials {number}")
        return await self.telephones.dial(number, self.run.sip, who, says=(HZ,))

    async def reaches(self, destination: str) -> Arrival:
        """Wait until the carrier is asked for that destination."""
        count = 1 + sum(arrival.number == destination for arrival in self.network.arrivals)
        arrival = await self.network.arrival(destination, count)
        self.tell(f"{destination} is called")
        return arrival

    async def talk(self, caller: Handset, arrival: Arrival, hz: float) -> None:
        """Wait for the answer, measure both directions, talk on for a second, hang up."""
        destination = await self.network.handset_of(arrival)
        await caller.wait_answered()
        self.tell("answered")
        there, here = await asyncio.gather(destination.hears(HZ), caller.hears(hz))
        self.tell(f"the destination hears the caller's {HZ} Hz at {there:.2f} (said at 0.30)")
        self.tell(f"the caller hears the destination's {hz:.0f} Hz at {here:.2f}")
        await asyncio.sleep(1)
        await caller.hang_up()
        await destination.wait_ended()
        self.tell("the caller hangs up")


async def answered(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.OFFICE))
    caller = await stage.call(numbers.OPEN, shown(CALLER))
    await caller.hears(numbers.CHIME[0])
    stage.tell("the caller hears the welcome, and pays nothing for it: the call is not answered yet")
    await stage.talk(caller, await coming, 600)


async def busy_then_next(stage: Stage) -> None:
    engaged = asyncio.create_task(stage.reaches(numbers.ENGAGED))
    colleague = asyncio.create_task(stage.reaches(numbers.COLLEAGUE))
    caller = await stage.call(numbers.BUSY_FIRST, shown(CALLER))
    await engaged
    stage.tell(f"{numbers.ENGAGED} is busy (486): the route's `busy` branch is taken")
    await stage.talk(caller, await colleague, 800)


async def nobody_answers(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.ABSENT))
    caller = await stage.call(numbers.NOBODY, shown(CALLER))
    await coming
    stage.tell("it rings, for the 5 s of the route")
    stage.tell(f"the caller is told: {await caller.wait_ended()}")


async def gives_up(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.ABSENT))
    caller = await stage.call(numbers.NOBODY, shown(CALLER))
    absent = await coming
    await asyncio.sleep(1)
    await caller.hang_up()
    await caller.wait_ended()
    stage.tell("the caller gives up")
    await until(lambda: absent.cancelled)
    stage.tell(f"{numbers.ABSENT} stops ringing")


async def withheld(stage: Stage) -> None:
    coming = asyncio.create_task(stage.reaches(numbers.OFFICE))
    caller = await stage.call(numbers.OPEN, WITHHELD["asserted and private"](CALLER))
    arrival = await coming
    stage.tell(f"the destination is shown: {arrival.invite.one('From').partition(';tag=')[0]}")
    await stage.talk(caller, arrival, 600)
    digits = CALLER.removeprefix("+")
    seen = sum(digits in message for message in stage.network.messages_of(arrival))
    stage.tell(f"messages towards the destination that hold the caller's number: {seen}")
    if seen:
        raise AssertionError("a withheld number was given away")


async def closed(stage: Stage) -> None:
    caller = await stage.call(numbers.CLOSED, shown(CALLER))
    await caller.hears(numbers.LOW_CHIME[0])
    stage.tell("the caller hears the prompt `closed`")
    stage.tell(f"the caller is told: {await caller.wait_ended()}")


SCENES: Sequence[tuple[str, Callable[[Stage], Awaitable[None]]]] = (
    ("Answered", answered),
    ("Busy, then the next step", busy_then_next),
    ("Nobody answers", nobody_answers),
    ("The caller gives up", gives_up),
    ("A withheld caller", withheld),
    ("Closed at this hour", closed),
)


async def demo(*, once: bool, sip: str | None = None) -> bool:
    """Play every scene, show the records; unless `once`, stay for a softphone. False when a scene failed."""
    console = Console(soft_wrap=True)
    began = time.monotonic()
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="callengine-demo-")))
        numbers.write_routing(folder / "routing", datetime.now(UTC).date())
        telephones = await held.enter_async_context(phones())
        network = await held.enter_async_context(carrier(telephones, numbers.TELEPHONES))
        console.print("Starting Asterisk, PostgreSQL, engine and worker …")
        wish = Wish(folder / "routing", folder / "state", network.address, sip)
        run = await held.enter_async_context(stack(wish, console.print))
        console.print(f"Ready after {time.monotonic() - began:.1f} s.\n")
        stage = Stage(telephones, network, run, console)
        failed = [title for title, scene in SCENES if not await play(stage, title, scene)]
        await show_records(stage, len(SCENES))
        if failed:
            console.print(f"[red]Not as it should be: {', '.join(failed)}.[/red]")
        if not once:
            await stay(stage)
    return not failed


async def play(stage: Stage, title: str, scene: Callable[[Stage], Awaitable[None]]) -> bool:
    """One scene, within 30 s; whatever goes wrong in it is told and does not end the demo."""
    stage.console.print(f"[bold]{title}[/bold]")
    try:
        async with asyncio.timeout(30):
            await scene(stage)
    except (TimeoutError, CallOver, AssertionError) as wrong:
        stage.tell(f"[red]this did not happen: {str(wrong) or 'what was waited for'}[/red]")
        return False
    finally:
        stage.console.print()
    return True


async def show_records(stage: Stage, expected: int) -> None:
    """The table of `callengine calls`, once the worker has brought all records to PostgreSQL."""
    stage.console.print("[bold]The call records[/bold] (callengine calls)")
    deadline = time.monotonic() + 10
    records = await call_records(stage.run)
    while len(records) < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
        records = await call_records(stage.run)
    table = Table(*(column.replace("_", " ").replace("seconds", "s") for column in COLUMNS), box=None)
    for record in records:
        table.add_row(*(str(record.get(column, "") or "") for column in COLUMNS))
    stage.console.print(table)


async def call_records(run: Stack) -> list[dict[str, object]]:
    """What `callengine calls` says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "engine", "calls", "--format", "json",
        stdout=asyncio.subprocess.PIPE, env=run.full_environment(),
    )  # fmt: skip
    told, _ = await process.communicate()
    records: list[dict[str, object]] = json.loads(told or "[]")
    return records


async def stay(stage: Stage) -> None:
    """Let people call in until Ctrl-C, and tell of every call what became of it."""
    stage.console.print("\nIt stays up: call from a softphone on this machine, without an account.")
    for number, what in (
        (numbers.OPEN, "announces, then rings; answered"),
        (numbers.BUSY_FIRST, "busy, then a colleague answers"),
        (numbers.NOBODY, "rings 5 s, nobody answers"),
        (numbers.CLOSED, "closed today"),
    ):
        stage.console.print(f"  sip:{number}@{stage.run.sip}   {what}", highlight=False)
    stage.console.print("Ctrl-C ends everything and leaves nothing behind.")
    await stage.run.keep_running()


async def until(happened: Callable[[], object], seconds: float = 5) -> None:
    """Wait until that is so. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.02)
