"""Reading the journal while the engine writes it: the calls that have ended, and the position."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from journal.entries import Entry
from journal.fault import point
from journal.position import Position
from journal.reader import Record, Unreadable, read
from journal.recovery import OpenCalls, from_checkpoint
from journal.segment import HEADER, segments, used

RECORDS = 1_000  # read at a time, in about 10 ms of the event loop
ENDED = 200  # calls in a transaction
DAMAGED = "damaged"  # folder in that of the journal
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EndedCall:
    """All entries of a call. `rev`: the wall stamp of its last entry; it grows with every entry.

    `payloads`: the entries as they are on the disk, including unreadable ones.
    """

    call_id: str
    rev: int
    entries: list[Entry]
    payloads: list[bytes]

    @property
    def unreadable(self) -> int:
        """Number of unreadable entries."""
        return len(self.payloads) - len(self.entries)


class Follower:
    """Reads a journal from the newest checkpoint at the beginning of a segment, of `since` or before it.

    Calls that ended before `since` are not returned again. `damaged`: the places since then that could not be
    read.
    """

    def __init__(self, directory: Path, since: Position) -> None:
        self.has_more = True  # than the last read() returned
        self.damaged: set[Position] = set()
        self._at = Position(first_segment(directory, since))
        self._before: Position | None = None  # the end of a segment whose open calls are not settled
        self._directory = directory
        self._since = since
        self._open = OpenCalls()

    @property
    def position(self) -> Position:
        """After all that was returned. A follower that begins here returns all the rest.

        A call that the checkpoint of a new segment does not name is returned some records later: its entries
        are in the segment before.
        """
        return self._before or self._at

    @property
    def open_calls(self) -> frozenset[str]:
        """The calls that have begun and have not ended."""
        return frozenset(self._open)

    def read(self) -> list[EndedCall]:
        """Return the calls that ended in the next records."""
        # Before reading: once there is a newer segment, this one gets no more records.
        newer = self._newer()
        records = self._records(is_closed=bool(newer))
        self.has_more = len(records) == RECORDS or bool(newer)
        if not records and newer:
            self._move(newer)
        ended: list[EndedCall] = []
        for record in records:
            self._check(record)
            self._at = Position(self._at.segment, record.end)
            ended += self._take(record)
            if not self._open.owes:
                self._before = None
            if len(ended) >= ENDED:
                self.has_more = True
                break
        return ended

    def _records(self, *, is_closed: bool) -> list[Record]:
        path, offset = self._directory / self._at.segment, self._at.offset
        try:
            return read(path, offset, RECORDS, is_closed=is_closed).records
        except (FileNotFoundError, IsADirectoryError):  # removed by hand; or no segment yet
            return []

    def _check(self, record: Record) -> None:
        """Count what is unreadable; copy damaged bytes, for a person to examine."""
        place = Position(self._at.segment, record.begin)
        if place < self._since:
            return
        if record.skipped:
            self._report_damage(place._replace(offset=record.begin - record.skipped), record.skipped)
        if isinstance(record.entry, Unreadable):
            self.damaged.add(place)

    def _report_damage(self, place: Position, size: int) -> None:
        self.damaged.add(place)
        failure = ""
        try:
            copy_damaged(self._directory / place.segment, place.offset, size)
        except OSError as error:
            failure = type(error).__name__
        log.critical("journal_damaged", segment=place.segment, offset=place.offset, bytes=size)
        if failure:
            log.warning("journal_damage_not_copied", segment=place.segment, error=failure)

    def _take(self, record: Record) -> list[EndedCall]:
        ended = self._open.add(record)
        if self._at <= self._since:
            return []
        return [
            EndedCall(call, record.wall, open_call.entries, open_call.payloads)
            for call, open_call in ended.items()
        ]

    def _newer(self) -> str:
        names = (path.name for path in segments(self._directory))
        return next((name for name in names if name > self._at.segment), "")

    def _move(self, newer: str) -> None:
        rest = unread(self._directory, self._at) if self._at.segment else 0
        if rest:  # after the last whole record: damaged, or torn by a crash, which looks the same
            self._open.damaged = True
            self._report_damage(self._at, rest)
        point("drain.before_move")
        self._before = self._before or self._at
        self._at = Position(newer)


def first_segment(directory: Path, since: Position) -> str:
    """Where to begin, so that the open calls at `since` are known; "" if there is no segment."""
    paths = segments(directory)
    before = from_checkpoint([path for path in paths if path.name <= since.segment])
    return next((path.name for path in before or paths), "")


def head_of(directory: Path, segment: str) -> str:
    """Return the first header of a segment, which contains instants; "" if there is no such segment."""
    try:
        with (directory / segment).open("rb") as file:
            return file.read(HEADER.size).hex()
    except (FileNotFoundError, IsADirectoryError):
        return ""


def has(directory: Path, since: Position, head: str | None) -> bool:
    """Whether this journal contains that position, in a segment with that first header.

    A new journal, or one restored from a backup, does not.
    """
    if not since.segment:
        return True
    actual = head_of(directory, since.segment)
    return bool(actual) and head in (None, actual) and used(directory / since.segment) >= since.offset


def copy_damaged(segment: Path, start: int, size: int) -> None:
    """Copy these bytes of a segment to the folder `damaged` beside it, which outlives the segment."""
    folder = segment.with_name(DAMAGED)
    folder.mkdir(mode=0o700, exist_ok=True)
    with segment.open("rb") as file:
        file.seek(start)
        (folder / f"{segment.stem}-{start:010d}.bin").write_bytes(file.read(size))


def unread(directory: Path, since: Position) -> int:
    """Return the number of bytes written to the segment of `since` after it."""
    try:
        return max(used(directory / since.segment) - since.offset, 0)
    except FileNotFoundError:
        return 0


def backlog(directory: Path, since: Position) -> int:
    """Return the number of bytes of the whole journal after `since`."""
    newer = (path for path in segments(directory) if path.name > since.segment)
    behind = sum(unread(directory, Position(path.name)) for path in newer)
    return behind + (unread(directory, since) if since.segment else 0)


def sweep(directory: Path, drained: Position, older_than: float) -> list[str]:
    """Delete the segments before `drained` last written before `older_than` (Unix time); return their names.

    Drained segments are kept for a while: a database that fails over may lose its last rows, and then has an
    older position.
    """
    swept = []
    for path in segments(directory):
        if path.name < drained.segment and path.stat().st_mtime < older_than:
            path.unlink()
            swept.append(path.name)
    return swept
