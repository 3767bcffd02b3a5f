"""A journal for tests: opened, written to, read back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dialplan.result import Result
from journal.checkpoint import checkpoint as checkpoint_of
from journal.codec import decode, encode
from journal.entries import CallEnded, CallStarted, Entry, LegStarted
from journal.follower import Follower
from journal.position import Position
from journal.reader import read
from journal.segment import Stamp, segment_name, segments
from journal.segment import encode as record_of
from journal.writer import Journal

SMALL = 4096
BEGINNING = Position()
AT = datetime(2026, 11, 24, 10, 0, 0, 123_000, UTC)


def started(call: str, seconds: float = 0, *, owner: str = "acme") -> CallStarted:
    return CallStarted(
        call, AT + timedelta(seconds=seconds), "+3270012345", owner, False, "here", f"{call}-a"
    )


def over(call: str, outcome: Result = Result.ABANDONED) -> CallEnded:
    return CallEnded(call, AT, outcome, "caller", 16)


@asynccontextmanager
async def opened(directory: Path, segment_bytes: int = 2**16) -> AsyncIterator[Journal]:
    journal = await Journal.open(directory, "here", segment_bytes)
    try:
        yield journal
    finally:
        await journal.close()


def written(directory: Path) -> list[Entry]:
    """All entries of the journal that can be read, without its checkpoints."""
    payloads = [record.payload for path in segments(directory) for record in read(path).records[1:]]
    return [decode(payload) for payload in payloads]


FACTS: list[Entry] = [
    started("a"),
    LegStarted("a", AT, "a-b1", "+3221112233"),
    started("b"),
    over("a"),
]


def checkpoint() -> bytes:
    return record_of(7, 1, Stamp(1, 1), checkpoint_of("here", "", [], b""))


def records(payloads: Sequence[bytes]) -> list[bytes]:
    """As they stand in a segment of epoch 7, behind its checkpoint."""
    return [record_of(7, n + 2, Stamp(n, n), payload) for n, payload in enumerate(payloads)]


def whole() -> bytes:
    return b"".join([checkpoint(), *records([encode(fact) for fact in FACTS])]) + bytes(100)


def lay_out(directory: Path, payloads: Sequence[bytes]) -> Path:
    """A journal of one segment with these payloads, whatever they are."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / segment_name(7, 1)
    path.write_bytes(b"".join([checkpoint(), *records(payloads)]))
    return path


def ended(directory: Path, since: Position = BEGINNING) -> list[list[Entry]]:
    """The entries of every call that ended, as a drainer sees them that reads to the end."""
    follower = Follower(directory, since)
    found: list[list[Entry]] = []
    while follower.has_more:
        found += [call.entries for call in follower.read()]
    return found
