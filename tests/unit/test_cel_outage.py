"""No engine was there for a while, and Asterisk has served every call by itself: the next one reads of it.

CALLS=n: of so many calls (20,000: docs/reliability.md); with -s it shows what it took.
"""

import asyncio
import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from journal.entries import CallEnded, CallStarted
from tests.unit.switchboards import AT, NUMBER, OFFICE, Asterisk, services_of, serving

CALLS = int(os.environ.get("CALLS", "5000"))
MAX_STALL = 0.1  # s of CPU that the loop's thread may need for all that is done between two ticks


@pytest.fixture(autouse=True)
def as_in_an_engine() -> Iterator[None]:
    """Full collections visit no object of other tests, whose thousands of modules take 0.2 s each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@dataclass(frozen=True)
class Line:
    """A line of CEL, `seconds` after the call came in, of one of its two channels."""

    kind: str
    seconds: float
    of_caller: bool
    extra: str = ""

    def text(self, n: int) -> str:
        began = AT + timedelta(seconds=n / 16)
        ids = [f"dev-{int(began.timestamp())}.{2 * n + k}" for k in range(2)]
        names = [f"PJSIP/from{n % 10}-{2 * n:08x}", f"PJSIP/trunk{n % 10}-{2 * n + 1:08x}"]
        at = f"{(began + timedelta(seconds=self.seconds)).timestamp():.6f}"
        channel, name = (ids[0], names[0]) if self.of_caller else (ids[1], names[1])
        extra = self.extra.replace("CALLER", names[0]).replace('"', '""')
        return f'"{self.kind}","{at}","{channel}","{ids[0]}","{name}","connect","s","{extra}"\n'


def user(text: str) -> str:
    return f'{{"extra":"{text}"}}'


LEFT = '{"hangupcause":16,"hangupsource":"CALLER","dialstatus":"ANSWER"}'
# At the fallback, answered, hung up by the caller: 2 kB.
CALL = [
    Line("FALLBACK", 0, True, user(f"dialled={NUMBER} presentation=allowed came= to={OFFICE}")),
    Line("CHAN_START", 0.01, False),
    Line("ANSWER", 2, False),
    Line("ANSWER", 2.01, True),
    Line("BRIDGE_ENTER", 2.02, False),
    Line("CALL", 11, True, user("ring=0 status=ANSWER rang=100 progress= legs=")),
    Line("HANGUP", 11.01, True, LEFT),
    Line("HANGUP", 11.02, False, LEFT),
    Line("LINKEDID_END", 11.03, False),
]


def write_outage(cel: Path, calls: int) -> None:
    cel.parent.mkdir()
    with cel.open("w") as file:
        file.writelines(line.text(n) for n in range(calls) for line in CALL)


@dataclass
class Ticks:
    """The loop, looked at: how often it came round, and the CPU time of its thread between two rounds."""

    longest: float = 0
    count: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        before = time.thread_time()
        while not self.over.is_set():
            await asyncio.sleep(0.001)
            now = time.thread_time()
            self.longest, self.count, before = max(self.longest, now - before), self.count + 1, now


async def read_outage(folder: Path, calls: int) -> tuple[float, Ticks]:
    """The CPU that it takes to have the records of so many calls, and what the loop did meanwhile."""
    write_outage(folder / "Master.csv", calls)
    services, ticks = services_of(), Ticks()
    ticking, began = asyncio.create_task(ticks.run()), time.process_time()
    with capture_logs() as logs:
        async with serving(folder, Asterisk(), services, reads=True) as board:
            await board.cel.drained()
            while board.live:  # noqa: ASYNC110 - of no event
                await asyncio.sleep(0.01)
    took = time.process_time() - began
    ticks.over.set()
    await ticking
    assert {it["event"] for it in logs} == {"call_without_engine"}
    ended = services.of(CallEnded)
    assert Counter((end.outcome, end.ended_by) for end in ended) == {("answered", "caller"): calls}
    assert (
        len({start.call for start in services.of(CallStarted)}) == len({end.call for end in ended}) == calls
    )
    return took, ticks


async def test_an_outage_is_read_in_linear_time_and_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    few, _ = await read_outage(tmp_path / "few", CALLS // 4)
    all_of_them, ticks = await read_outage(tmp_path / "all", CALLS)
    print(f"{CALLS // 4} calls {few:.2f} s of CPU, {CALLS} {all_of_them:.2f} s; {ticks}")
    assert all_of_them < 6 * few
    assert ticks.count > CALLS / 100
    assert ticks.longest < MAX_STALL
