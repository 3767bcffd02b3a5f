"""A run of `callengine dev` with calls beside each other, of which one part after the other is killed.

Two owners, whose numbers are recorded. What is killed comes back by itself.
"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from devkit.audio import RATE, tone, write_wav
from devkit.carrier import Carrier
from devkit.children import alive
from devkit.handset import CallOver, Handset
from devkit.phones import Identity, Phones, shown
from tests.live.agreed import new_caller
from tests.live.followed import FollowedJournal, Json
from tests.live.mails import speech
from tests.live.service import until
from tests.live.test_dev import Dev

LINES = 4  # calls beside each other
PARTS = ("engine", "worker", "asterisk", "postgres", "seaweed")
SECONDS_BETWEEN = 2.5  # kills, on an average

KEEPER, FLEETING = "keeper", "fleeting"
CALLER_HZ, DESTINATION_HZ, NOTICE_HZ = 880, 1000, 760
# What every caller and every destination says in the middle of its tones.
ASKED, REPLIED = speech(1.0, 3), speech(1.0, 40)


@dataclass(frozen=True)
class Kill:
    """A part was killed at an instant, and is back."""

    part: str
    at: datetime
    back: datetime


@dataclass
class Field:
    """Where it takes place: the run, telephones at both ends of it, and who was killed."""

    dev: Dev
    telephones: Phones
    network: Carrier
    kills: list[Kill] = field(default_factory=list)
    hung_up: list[tuple[str, datetime]] = field(default_factory=list)  # calls to which number, and when
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._journal = FollowedJournal(self.dev.state / "journal")

    @property
    def sip(self) -> str:
        return str(self.dev.endpoints()["sip"])

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        con = await asyncpg.connect(self.dev.endpoints()["database"], timeout=5, command_timeout=10)
        try:
            yield con
        finally:
            con.terminate()

    def journal(self) -> dict[str, list[Json]]:
        """What it says of each call, by its id."""
        calls: dict[str, list[Json]] = {}
        for entry in self._journal.entries():
            if entry.get("call"):  # a heartbeat is of none
                calls.setdefault(entry["call"], []).append(entry)
        return calls

    def recorded(self) -> dict[str, list[Json]]:
        """The calls that were begun to be recorded, by the recording's id."""
        calls = self.journal().values()
        starts = ((entry, call) for call in calls for entry in call if entry["kind"] == "rec_start")
        return {entry["audio"]: call for entry, call in starts}


def write_routing(folder: Path) -> None:
    """A number for each line and owner, and a telephone of its own behind each."""
    for name in ("owners", "numbers", "prompts"):
        (folder / name).mkdir(parents=True)
    write_wav(folder / "prompts" / "notice.wav", tone((NOTICE_HZ,), RATE // 2))
    for owner, keep in ((KEEPER, "3653 days"), (FLEETING, "1 hour")):
        told = {"name": owner, "recording_notice": "notice", "recordings": "wav", "keep_recordings": keep}
        (folder / "owners" / f"{owner}.yaml").write_text(json.dumps(told))
        for line in range(LINES):
            number, to = numbers(owner, line)
            agreed = {
                "number": number,
                "owner": owner,
                "timezone": "Europe/Brussels",
                "record": "announce",
                "route": [{"ring": to}],
            }
            (folder / "numbers" / f"{owner}{line}.yaml").write_text(json.dumps(agreed))


def numbers(owner: str, line: int) -> tuple[str, str]:
    """A service number, and the destination behind it."""
    n = LINES * (owner == FLEETING) + line
    return f"+3280000{n:04d}", f"+3222000{n:03d}"


async def call_again_and_again(it: Field, line: int, over: asyncio.Event, dice: random.Random) -> None:
    """One call after the other, to one owner and then the other, until it is over.

    At least one to each of them has got through then, and the last one.
    """
    owners, through, last, who = [KEEPER, FLEETING], set[str](), False, shown(new_caller())
    while not (over.is_set() and last and through == {KEEPER, FLEETING}):
        last = False
        owners.reverse()
        try:
            await call(it, who, *numbers(owners[0], line), dice.uniform(2.5, 6))
        except (CallOver, TimeoutError):  # what it goes through is its owner's concern, not this test's
            it.calls["cut off"] += 1
            await asyncio.sleep(0.5)
        else:
            last = True
            through.add(owners[0])
            it.calls["to its end"] += 1


async def call(it: Field, who: Identity, number: str, to: str, seconds: float) -> None:
    """A call: both say their tone all the time, and in between their piece. Raises CallOver, TimeoutError."""
    caller = await it.telephones.dial(number, it.sip, who, says=(CALLER_HZ,))
    try:
        await caller.hears(DESTINATION_HZ, 10)
        destination = next(a.handset for a in reversed(it.network.arrivals) if a.number == to and a.handset)
        await destination.hears(CALLER_HZ, 5)
        await talk(caller, destination, seconds)
    finally:
        it.hung_up.append((number, datetime.now(UTC)))
        await caller.hang_up()
        with suppress(TimeoutError):
            await caller.wait_ended(3)


async def talk(caller: Handset, destination: Handset, seconds: float) -> None:
    """For so long. Raises CallOver when it is cut off: one kill may do so to all lines at once."""
    caller.play(ASKED)
    destination.play(REPLIED)
    with suppress(TimeoutError):
        await until(lambda: caller.ending or destination.ending, seconds)
    if (ending := caller.ending or destination.ending) is not None:
        raise CallOver(ending)


async def kill_at_random(it: Field, times: int, dice: random.Random) -> None:
    """Kill so many times, all parts equally often, sometimes one while another is still away."""
    backs = []
    for n in range(times):
        await asyncio.sleep(dice.expovariate(1 / SECONDS_BETWEEN))  # a random moment
        if n % len(PARTS) == 0:
            order = dice.sample(PARTS, len(PARTS))
        part = order[n % len(PARTS)]
        backs.append(asyncio.create_task(kill(it, part, await living(it, part))))
    await asyncio.gather(*backs)


async def living(it: Field, part: str) -> int:
    """Its process, once there is one."""
    await until(lambda: alive(it.dev.pids()[part]), 60)
    return it.dev.pids()[part]


async def kill(it: Field, part: str, pid: int) -> None:
    how = signal.SIGQUIT if part == "postgres" else signal.SIGKILL
    at = datetime.now(UTC)
    os.kill(pid, how)
    await until(lambda: it.dev.pids()[part] != pid, 60)
    it.kills.append(Kill(part, at, datetime.now(UTC)))
