"""A journal for tests: opened, written to, read back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from journal.follower import Follower
from journal.position import Position
from journal.reader import read
from journal.segment import Stamp, encode, segments
from journal.writer import Journal, as_payload

SMALL = 4096
BEGINNING = Position()


def entry(call: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"call": call, "kind": kind, "at": "2026-11-24T10:00:00.123+00:00", **more}


@asynccontextmanager
async def opened(directory: Path, segment_bytes: int = 2**16) -> AsyncIterator[Journal]:
    journal = await Journal.open(directory, "here", segment_bytes)
    try:
        yield journal
    finally:
        await journal.close()


def written(directory: Path) -> list[dict[str, Any]]:
    """All entries of the journal, without its checkpoints."""
    records = [record for path in segments(directory) for record in read(path).records]
    return [record.entry for record in records if record.entry["kind"] != "checkpoint"]


FACTS = [
    entry("a", "call_start", number="+3270012345", owner="acme"),
    entry("a", "leg_start", leg="a-b1", to="+3221112233"),
    entry("b", "call_start", number="+3270012345", owner="acme"),
    entry("a", "call_end", outcome="abandoned"),
]


def checkpoint() -> bytes:
    return encode(
        7, 1, Stamp(1, 1), as_payload({"kind": "checkpoint", "node": "here", "after": "", "open": []})
    )


def whole() -> bytes:
    records = [encode(7, n + 2, Stamp(n, n), as_payload(fact)) for n, fact in enumerate(FACTS)]
    return b"".join([checkpoint(), *records]) + bytes(100)


def ended(directory: Path, since: Position = BEGINNING) -> list[list[dict[str, Any]]]:
    """The entries of every call that ended, as a drainer sees them that reads to the end."""
    follower = Follower(directory, since)
    found = []
    for _ in range(10_000):
        before = follower.position
        found += [call.entries for call in follower.read()]
        if follower.position == before:
            return found
    raise AssertionError("the follower finds no end")
