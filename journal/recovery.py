"""What the engine reads in its journal at start: the calls that have not ended."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from journal.checkpoint import Checkpoint
from journal.entries import CallEnded, CallStarted, ClockStepped, Entry, Heartbeat
from journal.reader import Record, Unreadable, entry_of, read
from journal.segment import segments

RECENTLY_NS = 10 * 10**9  # the position in CEL is stored each second
OLDER = 8  # segments; an engine that restarts repeatedly does not leave more within these seconds


@dataclass(slots=True)
class OpenCall:
    """The entries of a call so far: as they are on the disk, and those that this program can read."""

    payloads: list[bytes] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def has_begun(self) -> bool:
        """Whether its beginning is readable."""
        return any(isinstance(entry, CallStarted) for entry in self.entries)

    def add(self, payload: bytes, entry: Entry | Unreadable) -> None:
        self.payloads.append(payload)
        if not isinstance(entry, Unreadable):
            self.entries.append(entry)


class OpenCalls(dict[str, OpenCall]):
    """Every call that has begun and has not ended.

    `damaged`: something since the last checkpoint was unreadable; it may have been the end of a call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.damaged = False
        self._missing: dict[str, OpenCall] = {}  # not in the latest checkpoint
        self._since = 0  # boottime of that checkpoint, ns

    @property
    def owes(self) -> bool:
        """Whether a later record may return calls that the latest checkpoint does not contain."""
        return bool(self._missing)

    def add(self, record: Record) -> dict[str, OpenCall]:
        """Apply one record; return the calls that are no longer open after it, each with all its entries.

        That is the call which the record ends; and each call that the latest checkpoint does not contain: its
        end is damaged, or lost with a part of a segment.
        """
        self.damaged |= record.skipped > 0
        match record.entry:
            case Checkpoint(open=calls):
                self._begin_again(calls, record.boottime)
                return self._lost(record)
            case Heartbeat():
                return self._lost(record)
            case entry:
                ended = self._add(record.payload, entry)
                return self._lost(record) | ended

    def _lost(self, record: Record) -> dict[str, OpenCall]:
        """The missing calls, once no entry can follow that begins them again.

        After a failed write, all entries that may not be on the disk are written again, behind the
        checkpoint of another segment; they are older than it. The next engine (seq 1) writes none of them.
        """
        if record.boottime <= self._since and record.seq > 1:
            return {}
        missing, self._missing = self._missing, {}
        return missing

    def _add(self, payload: bytes, entry: Entry | Unreadable) -> dict[str, OpenCall]:
        self.damaged |= isinstance(entry, Unreadable)
        if begins(entry) and entry.call not in self:
            self[entry.call] = OpenCall()
            self._missing.pop(entry.call, None)
        open_call = self.get(entry.call)
        if open_call is None:
            if not self.damaged or not entry.call:
                return {}  # appended after the call's end: it is not part of the call record
            open_call = self[entry.call] = OpenCall()  # its beginning may be what was unreadable
        open_call.add(payload, entry)
        return {entry.call: self.pop(entry.call)} if isinstance(entry, CallEnded) else {}

    def _begin_again(self, calls: Iterable[tuple[bytes, ...]], boottime: int) -> None:
        before = dict(self)
        self.clear()
        self.damaged, self._since = False, boottime
        for payloads in calls:
            self._restore(payloads)
        missing = self._missing | before
        self._missing = {call: missing[call] for call in missing if call not in self}

    def _restore(self, payloads: tuple[bytes, ...]) -> None:
        entries = [entry_of(payload) for payload in payloads]
        if entries:
            open_call = self[entries[0].call] = OpenCall()
            for payload, entry in zip(payloads, entries, strict=True):
                open_call.add(payload, entry)


def begins(entry: Entry | Unreadable) -> bool:
    return isinstance(entry, CallStarted) or (isinstance(entry, Unreadable) and entry.begins)


@dataclass(slots=True)
class Recovered:
    """What an earlier engine left: its open calls, its newest segment or "", its last wall stamp in ns.

    `heartbeat`: the payload of the latest, or b"". `last_known`: the latest instant of any entry, by the
    clock as it was set last. `ended`: the calls that ended recently, and when. `read`: the segments that were
    read; `seq`, `end`: of the last record of the newest.
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
                for open_call in self.open_calls.values():
                    self._update_last_known(*open_call.entries)
                if heartbeat:
                    self._update_last_known(entry_of(heartbeat))
            case Heartbeat() as entry:
                self.heartbeat = record.payload
                self._update_last_known(entry)
            case CallEnded() as entry:
                self.ended[entry.call] = entry.at
                self._update_last_known(entry)
            case entry:
                self._update_last_known(entry)

    def _update_last_known(self, *entries: Entry | Unreadable) -> None:
        for entry in entries:
            match entry:
                case Heartbeat(at=at) | ClockStepped(at=at):
                    self.last_known = at  # earlier than before, if the clock was set back
                case Unreadable():
                    pass
                case _ if entry.at is not None:
                    self.last_known = max(entry.at, self.last_known or entry.at)


def recover(directory: Path) -> Recovered:
    """Read the newest segment with a readable checkpoint, and those after it."""
    for draft in directory.glob("*.draft"):
        with suppress(OSError):  # a read-only file system can still be read
            draft.unlink()
    recovered, records = Recovered(), []
    paths = segments(directory)
    newest = from_checkpoint(paths)
    for path in newest:
        records = read(path, is_closed=True).records
        for record in records:
            recovered.add(record)
        recovered.newest = path.name
        recovered.read.append(path)
    recovered.ended = recently_ended(paths[: len(paths) - len(newest)], records) | recovered.ended
    return recovered


def recently_ended(paths: list[Path], newest: list[Record]) -> dict[str, datetime]:
    """Return the calls that ended in the segments before the newest, if that is younger than RECENTLY_NS.

    Their CEL events may be read again.
    """
    ended: dict[str, datetime] = {}
    records = newest
    for path in reversed(paths[-OLDER:]):
        if records and records[-1].boottime - records[0].boottime > RECENTLY_NS:
            break
        records = read(path, is_closed=True).records
        entries = [record.entry for record in records]
        ended |= {entry.call: entry.at for entry in entries if isinstance(entry, CallEnded)}
    return ended


def from_checkpoint(paths: list[Path]) -> list[Path]:
    """Return the newest segment that begins with a readable checkpoint, and those after it; usually one."""
    for i in reversed(range(len(paths))):
        if begins_whole(paths[i]):
            return paths[i:]
    return paths


def begins_whole(path: Path) -> bool:
    return any(isinstance(record.entry, Checkpoint) for record in read(path, most=1).records)
