"""The calls of a period as the journal's segments have them: ended ones whole, open ones by their ids.

For reconciliation. Nothing is reported, stored or moved here, unlike in journal/follower.py.
"""

from collections.abc import Collection, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from journal.reader import Record, read
from journal.recovery import OpenCalls
from journal.segment import segments
from journal.state import CallState, fold

RECORDS = 1_000  # read at a time


@dataclass(slots=True)
class JournalledCalls:
    """`ended`: by call id, the state of each call that has ended; `open_calls`: the ids of the others."""

    ended: dict[str, CallState] = field(default_factory=dict)
    open_calls: set[str] = field(default_factory=set)


def journalled_calls(directory: Path, since: datetime, wanted: Collection[str]) -> JournalledCalls:
    """The wanted calls in all segments that were written to since then. Raises OSError. Blocks."""
    calls, open_calls = JournalledCalls(), OpenCalls()
    if not wanted:
        return calls
    paths = segments(directory)
    for segment in paths:
        with suppress(FileNotFoundError):  # swept meanwhile
            if segment.stat().st_mtime >= since.timestamp():
                for record in _records(segment, is_closed=segment != paths[-1]):
                    _add(calls, open_calls, record, wanted)
    calls.open_calls = {call_id for call_id in open_calls if call_id in wanted}
    return calls


def _records(segment: Path, *, is_closed: bool) -> Iterator[Record]:
    offset = 0
    while batch := read(segment, offset, RECORDS, is_closed=is_closed).records:
        yield from batch
        offset = batch[-1].end


def _add(calls: JournalledCalls, open_calls: OpenCalls, record: Record, wanted: Container[str]) -> None:
    for call_id, call in open_calls.add(record).items():
        if call_id in wanted:
            with suppress(Exception):  # it has no beginning, or it cannot be a record: it is a dead letter
                calls.ended[call_id] = fold(call.entries)
