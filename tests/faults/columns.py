"""The columns of the matrix: where a call, a message or a recording is when the fault strikes.

Calls are in all of their phases at once, because there are many. Of messages and recordings one is held: the
worker stops itself at a failpoint, the fault strikes, the worker goes on.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from journal.fault import VARIABLE
from tests.faults.breaking import finish
from tests.faults.field import Field
from tests.live.traffic.summary import PHASES as CALL_PHASES

REACHED_SECONDS = 30.0
GOES_ON_AFTER = 0.3  # s after the fault has begun
FILE = "failpoint"

__all__ = ["CALL_PHASES", "HELD_PHASES", "Held", "held", "holding"]


@dataclass(frozen=True)
class Held:
    """A phase of a message or recording, and the failpoint that is passed in it."""

    name: str
    failpoint: str


HELD_PHASES = (
    Held("message spooled", "seal.after_claim"),
    Held("message sealed", "seal.before_commit"),
    Held("message stored", "seal.after_commit"),
    Held("mail claimed", "outbox.after_claim"),
    Held("mail sent", "smtp.after_250"),
    Held("mail accepted", "outbox.after_commit"),
    Held("call drained", "drain.after_commit"),
    Held("recording uploaded", "object.after_upload"),
    Held("recording shredded", "destroy.after_shred"),
    Held("recording deleted", "destroy.before_tombstone"),
)


@asynccontextmanager
async def holding(field: Field) -> AsyncIterator[None]:
    """A worker, and those that faults start in its place, in which `held` can arm a failpoint."""
    worker, file = field.house.worker, field.folder / FILE
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(VARIABLE, f"@{file}")
        await finish(worker, signal.SIGTERM)
        await worker.start()
        yield
        arm(file, "")


@asynccontextmanager
async def held(field: Field, phase: Held) -> AsyncIterator[bool]:
    """The worker stands at this point, and goes on soon after the block has begun; whether it came there."""
    process, file = field.house.worker.process, field.folder / FILE
    assert process is not None
    arm(file, f"{phase.failpoint}:stop")
    reached = await stops(process.pid)
    arm(file, "")
    going_on = asyncio.get_running_loop().call_later(GOES_ON_AFTER, go_on, process.pid)
    try:
        yield reached
    finally:
        going_on.cancel()
        go_on(process.pid)


def arm(file: Path, failpoint: str) -> None:
    """At once for a worker that reads it at this moment: it finds the former text, or this one."""
    draft = file.with_suffix(".draft")
    draft.write_text(failpoint)
    draft.replace(file)


async def stops(pid: int) -> bool:
    """Wait until that process has stopped itself; False if it does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REACHED_SECONDS):
            while state_of(pid) != "T":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)  # from look to look
    return state_of(pid) == "T"


def state_of(pid: int) -> str:
    """R, S, D, T (stopped), Z; "" without such a process."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
