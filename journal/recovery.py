"""What the engine finds in its journal at start: the calls that have no end yet."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from journal.checkpoint import Checkpoint
from journal.entries import CallEnded, CallStarted, ClockStepped, Entry, Heartbeat
from journal.reader import Record, Unreadable, entry_of, read
from journal.segment import segments

LATELY_NS = 10 * 10**9  # the position in CEL is stored each second
OLDER = 8  # segments: more than these an engine that cannot stay up has not left within seconds


@dataclass(slots=True)
class OpenCall:
    """A call's entries so far: as they stand on the disk, and those of them that this program reads."""

    payloads: list[bytes] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def has_begun(self) -> bool:
        """Is its beginning among those that can be read?"""
        return any(isinstance(entry, CallStarted) for entry in self.entries)

    def add(self, payload: bytes, entry: Entry | Unreadable) -> None:
        self.payloads.append(payload)
        if not isinstance(entry, Unreadable):
            self.entries.append(entry)


class OpenCalls(dict[str, OpenCall]):
    """Every call that has begun and not ended.

    `damaged`: something could not be read since the last checkpoint; it may have been the end of a call.
    """

    damaged = False

    def add(self, record: Record) -> dict[str, OpenCall]:
        """Take in one record; return the calls that are not open after it, each whole.

        That is the call which the record ends; after damage, also each call that a checkpoint does not name.
        """
        self.damaged |= record.skipped > 0
        match record.entry:
            case Checkpoint(open=calls):
                return self._begin_again(calls)
            case Heartbeat():
                return {}
            case entry:
                return self._add(record.payload, entry)

    def _add(self, payload: bytes, entry: Entry | Unreadable) -> dict[str, OpenCall]:
        self.damaged |= isinstance(entry, Unreadable)
        if begins(entry) and entry.call not in self:
            self[entry.call] = OpenCall()
        found = self.get(entry.call)
        if found is None:
            if not self.damaged or not entry.call:
                return {}  # noted after the call's end: part of its story, not of its record
            found = self[entry.call] = OpenCall()  # its beginning may be what could not be read
        found.add(payload, entry)
        return {entry.call: self.pop(entry.call)} if isinstance(entry, CallEnded) else {}

    def _begin_again(self, calls: Iterable[tuple[bytes, ...]]) -> dict[str, OpenCall]:
        before, was_damaged = dict(self), self.damaged
        self.clear()
        self.damaged = False
        for payloads in calls:
            self._restore(payloads)
        gone = {call: found for call, found in before.items() if call not in self}
        return gone if was_damaged else {}

    def _restore(self, payloads: tuple[bytes, ...]) -> None:
        entries = [entry_of(payload) for payload in payloads]
        if entries:
            found = self[entries[0].call] = OpenCall()
            for payload, entry in zip(payloads, entries, strict=True):
                found.add(payload, entry)


def begins(entry: Entry | Unreadable) -> bool:
    return isinstance(entry, CallStarted) or (isinstance(entry, Unreadable) and entry.begins)


@dataclass(slots=True)
class Recovered:
    """What an earlier engine has left: its open calls, its newest segment or "", its last wall stamp, ns.

    `heartbeat`: the payload of the latest, or b"". `last_known`: the latest instant that any entry tells, by
    the clock as it was set last. `ended`: the calls that ended of late, and when. `read`: the segments that
    were read; `seq`, `end`: of the last record of the newest.
    """

    open_calls: OpenCalls = field(default_factory=OpenCalls)
    newest: str = ""
    wall: int = 0
    heartbeat: bytes = b""
    last_known: datetime | None = None
    ended: dict[str, datetime] = field(default_factory=dict)
    read: list[Path] = field(default_factory=list)
    seq: int = 0
    end: int = 0

    def add(self, record: Record) -> None:
        self.open_calls.add(record)
        self.wall = max(self.wall, record.wall)
        self.seq, self.end = record.seq, record.end
        match record.entry:
            case Checkpoint(heartbeat=heartbeat):
                self.heartbeat = heartbeat or self.heartbeat
                for found in self.open_calls.values():
                    self._see(*found.entries)
                if heartbeat:
                    self._see(entry_of(heartbeat))
            case Heartbeat() as entry:
                self.heartbeat = record.payload
                self._see(entry)
            case CallEnded() as entry:
                self.ended[entry.call] = entry.at
                self._see(entry)
            case entry:
                self._see(entry)

    def _see(self, *entries: Entry | Unreadable) -> None:
        for entry in entries:
            match entry:
                case Heartbeat(at=at) | ClockStepped(at=at):
                    self.last_known = at  # earlier than the one before, if the clock was set back
                case Unreadable():
                    pass
                case _ if entry.at is not None:
                    self.last_known = max(entry.at, self.last_known or entry.at)


def recover(directory: Path) -> Recovered:
    """Read the newest segment that begins whole, and what came after it."""
    for draft in directory.glob("*.draft"):
        with suppress(OSError):  # a file system that was made read-only is read all the same
            draft.unlink()
    found, records = Recovered(), []
    paths = segments(directory)
    newest = from_checkpoint(paths)
    for path in newest:
        records = read(path, is_closed=True).records
        for record in records:
            found.add(record)
        found.newest = path.name
        found.read.append(path)
    found.ended = lately_ended(paths[: len(paths) - len(newest)], records) | found.ended
    return found


def lately_ended(paths: list[Path], newest: list[Record]) -> dict[str, datetime]:
    """The calls that ended in the segments before the newest, as far as it does not reach back far enough.

    Their lines in CEL may be read once more.
    """
    ended: dict[str, datetime] = {}
    records = newest
    for path in reversed(paths[-OLDER:]):
        if records and records[-1].boottime - records[0].boottime > LATELY_NS:
            break
        records = read(path, is_closed=True).records
        ended |= {it.entry.call: it.entry.at for it in records if isinstance(it.entry, CallEnded)}
    return ended


def from_checkpoint(paths: list[Path]) -> list[Path]:
    """The newest segment that begins with a readable checkpoint, and any after it; as a rule, one."""
    for i in reversed(range(len(paths))):
        if begins_whole(paths[i]):
            return paths[i:]
    return paths


def begins_whole(path: Path) -> bool:
    return any(isinstance(record.entry, Checkpoint) for record in read(path, most=1).records)
