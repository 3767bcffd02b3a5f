"""`make soak`: calls for as long as is asked, a fault every ten minutes, the oracle after each.

Memory and descriptors of engine, worker and Asterisk are sampled all the time. What they grow by is told at
the end: a process that was killed begins anew, so each life of a process counts for itself.
"""

import argparse
import asyncio
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.faults.field import Field, open_field
from tests.faults.matrix import Cell, run_and_mend
from tests.faults.observe import AWAY, database
from tests.faults.rows import ROWS
from tests.live.traffic.run import agree

SECONDS_OF_A_CALL = 6.5  # of all kinds of calls together, on an average
SAMPLE_SECONDS = 10.0
SHORTEST = 30.0  # s: the last round
WARM_UP = 0.2  # of a process's life, which do not count: caches fill
DISK = "1g"  # for the journal and CEL of hours
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


# Recordings of earlier rounds come to their deadline, one after the other, so that the object store always
# holds as much.
DUE = """
UPDATE audio SET destroy_after = now() + random() * $1::interval
WHERE kind = 'recording' AND state = 'stored' AND destroy_after > now() + $1::interval
"""


@dataclass(frozen=True)
class Sample:
    """A process at an instant: its memory (RSS) in bytes, and how many descriptors it has open.

    `descriptors`: None where only root may count them, as those of engine and worker (process/no_core.py).
    """

    at: float
    memory: int
    descriptors: int | None


@dataclass
class Lives:
    """The samples of each life of engine and worker, by the part's name and the process's id."""

    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)

    def look(self, name: str, pid: int) -> None:
        with suppress(OSError):  # it ends at this moment
            self.samples.setdefault((name, pid), []).append(sample(pid))

    def growth(self) -> Iterator[str]:
        """For each life that lasted: what memory and descriptors were after the warm-up, and at the end."""
        for (name, pid), samples in self.samples.items():
            warm = samples[int(len(samples) * WARM_UP) :]
            if len(warm) < 10:
                continue
            hours = (warm[-1].at - warm[0].at) / 3600
            first, last = middle(warm[: len(warm) // 4]), middle(warm[-len(warm) // 4 :])
            by = 100 * (last.memory - first.memory) / first.memory
            memory = f"memory {first.memory >> 20} to {last.memory >> 20} MiB ({by:+.1f} %)"
            descriptors = "only root may count its descriptors"
            if first.descriptors is not None:
                descriptors = f"descriptors {first.descriptors} to {last.descriptors}"
            yield f"{name} {pid}: {hours:.2f} h, {memory}, {descriptors}"


def middle(samples: Sequence[Sample]) -> Sample:
    """The one with the median memory."""
    return sorted(samples, key=lambda it: it.memory)[len(samples) // 2]


def sample(pid: int) -> Sample:
    """Raises OSError where there is no such process."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return Sample(time.time(), int(resident[1]) * 1024 if resident else 0, descriptors_of(pid))


def descriptors_of(pid: int) -> int | None:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        return None


@asynccontextmanager
async def sampling(field: Field, lives: Lives, every: float = SAMPLE_SECONDS) -> AsyncIterator[None]:
    async def look() -> None:
        while True:
            for name in ("engine", "worker", "asterisk"):
                if (process := field.part(name).process) is not None:
                    lives.look(name, process.pid)
            await asyncio.sleep(every)  # from sample to sample

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@dataclass(frozen=True)
class Wish:
    """How long, how many calls a second, from fault to fault so many seconds; `seed` chooses the faults."""

    seconds: float
    rate: float
    each: float
    seed: int


@dataclass
class Soaked:
    """What came of it."""

    cells: list[Cell] = field(default_factory=list)
    lives: Lives = field(default_factory=Lives)

    @property
    def broken(self) -> int:
        """Rounds with a violation."""
        return sum(bool(cell.violations) for cell in self.cells)


async def soak(it: Soaked, folder: Path, wish: Wish) -> None:
    """Rounds of calls, with one fault in the middle of each; the last round has what is left of the time."""
    dice = random.Random(wish.seed)
    async with open_field(folder, DISK) as field, sampling(field, it.lives):
        lines = agree(field.house, max(round(wish.rate * SECONDS_OF_A_CALL), 1))
        end = time.monotonic() + wish.seconds
        while (left := end - time.monotonic()) > 0:
            row = dice.choice([row for row in ROWS if field.disk is not None or not row.on_disk])
            cell = await run_and_mend(field, [row], (), lines, length=max(min(wish.each, left), SHORTEST))
            it.cells.append(cell)
            tell(cell)
            print(*it.lives.growth(), sep="\n", flush=True)
            with suppress(*AWAY):  # they come to it after the next round
                async with database(field) as con:
                    await con.execute(DUE, timedelta(seconds=wish.each / 2))


def tell(cell: Cell) -> None:
    waited, late = cell.measured["longest wait for service"], cell.measured["lateness of the machine"]
    took = f"{cell.calls} calls in {cell.seconds:.0f} s"
    print(f"{' + '.join(cell.rows)}: {took}, waited {waited:.2f} s, timers late by {late:.2f} s", flush=True)
    for name, violations in cell.violations.items():
        for violation in violations:
            print(f"    {name} {violation}", flush=True)


def duration(text: str) -> float:
    """30s, 10m, 2h, 1d; in seconds."""
    found = re.fullmatch(r"([0-9.]+)([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not a duration: write 30s, 10m, 2h or 1d")
    return float(found[1]) * UNITS[found[2]]


def main() -> None:
    """Soak, report, and end with 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--length", type=duration, default="2h", help="30s, 10m, 2h, 1d")
    parser.add_argument("--rate", type=float, default=5.0, help="calls a second")
    parser.add_argument("--round", type=duration, default="10m", help="time from fault to fault")
    parser.add_argument("--seed", type=int, default=None, help="which faults: that of an earlier soak")
    asked = parser.parse_args()
    seed = random.randrange(10**6) if asked.seed is None else asked.seed
    print("seed", seed)
    it = Soaked()
    with tempfile.TemporaryDirectory(prefix="callengine-soak-") as folder:
        asyncio.run(soak(it, Path(folder), Wish(asked.length, asked.rate, asked.round, seed)))
    calls = sum(cell.calls for cell in it.cells)
    print(f"{calls} calls, {len(it.cells)} faults, {it.broken} rounds with a violation")
    print(*it.lives.growth(), sep="\n")
    raise SystemExit(1 if it.broken else 0)


if __name__ == "__main__":
    main()
