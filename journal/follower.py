"""Reading along while the engine writes: which calls have ended, and how far that is."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from journal.entries import Entry
from journal.fault import point
from journal.position import Position
from journal.reader import Record, Unreadable, read
from journal.recovery import OpenCalls
from journal.segment import HEADER, segments, used

RECORDS = 1_000  # read at a time: about 10 ms of the event loop
ENDED = 200  # calls to a transaction
DAMAGED = "damaged"  # folder within the journal's
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EndedCall:
    """All entries of a call. `rev` is the wall stamp of the one that ended it: it grows with every entry.

    `payloads`: as they stand on the disk, with those that cannot be read.
    """

    call_id: str
    rev: int
    entries: list[Entry]
    payloads: list[bytes]

    @property
    def unreadable(self) -> int:
        """How many of its entries cannot be read."""
        return len(self.payloads) - len(self.entries)


class Follower:
    """Reads a journal from the beginning of the segment of `since`, whose checkpoint makes it whole.

    Calls that ended before `since` are known and not told again. `position` is behind all that was told.
    `damaged`: the places since then that could not be read.
    """

    def __init__(self, directory: Path, since: Position) -> None:
        names = [path.name for path in segments(directory) if path.name >= since.segment]
        self.position = Position(names[0] if names else "")
        self.has_more = True  # than was read the last time
        self.damaged: set[Position] = set()
        self._directory = directory
        self._since = since
        self._open = OpenCalls()

    @property
    def open_calls(self) -> frozenset[str]:
        """The calls that have begun and not ended."""
        return frozenset(self._open)

    def read(self) -> list[EndedCall]:
        """The calls that ended in the next few records."""
        # Looked for before reading: once there is a newer segment, this one gets no more records.
        newer = self._newer()
        records = self._records(is_closed=bool(newer))
        self.has_more = len(records) == RECORDS or bool(newer)
        if not records and newer:
            self._move(newer)
        ended: list[EndedCall] = []
        for record in records:
            self._look_at(record)
            self.position = Position(self.position.segment, record.end)
            ended += self._take(record)
            if len(ended) >= ENDED:
                self.has_more = True
                break
        return ended

    def _records(self, *, is_closed: bool) -> list[Record]:
        path, offset = self._directory / self.position.segment, self.position.offset
        try:
            return read(path, offset, RECORDS, is_closed=is_closed).records
        except (FileNotFoundError, IsADirectoryError):  # swept away by hand; or no segment yet
            return []

    def _look_at(self, record: Record) -> None:
        """Count what cannot be read; keep damaged bytes aside, for a person to look at."""
        place = Position(self.position.segment, record.begin)
        if place < self._since:
            return
        if record.skipped:
            self._report_damage(place._replace(offset=record.begin - record.skipped), record.skipped)
        if isinstance(record.entry, Unreadable):
            self.damaged.add(place)

    def _report_damage(self, place: Position, size: int) -> None:
        self.damaged.add(place)
        trouble = ""
        try:
            keep_aside(self._directory / place.segment, place.offset, size)
        except OSError as error:
            trouble = type(error).__name__
        log.critical("journal_damaged", segment=place.segment, offset=place.offset, bytes=size)
        if trouble:
            log.warning("journal_damage_not_kept", segment=place.segment, error=trouble)

    def _take(self, record: Record) -> list[EndedCall]:
        ended = self._open.add(record)
        if self.position <= self._since:
            return []
        return [EndedCall(call, record.wall, it.entries, it.payloads) for call, it in ended.items()]

    def _newer(self) -> str:
        names = (path.name for path in segments(self._directory))
        return next((name for name in names if name > self.position.segment), "")

    def _move(self, newer: str) -> None:
        rest = unread(self._directory, self.position) if self.position.segment else 0
        if rest:  # behind the last whole record: damaged, or torn by a crash, which looks the same
            self._open.damaged = True
            self._report_damage(self.position, rest)
        point("drain.before_move")
        self.position = Position(newer)


def head_of(directory: Path, segment: str) -> str:
    """How a segment begins: its first header, with the instants of its noting. "": it is not there."""
    try:
        with (directory / segment).open("rb") as file:
            return file.read(HEADER.size).hex()
    except (FileNotFoundError, IsADirectoryError):
        return ""


def has(directory: Path, since: Position, head: str | None) -> bool:
    """Whether this journal has come so far, in a segment that begins so.

    Not one that was made anew, or restored from a backup.
    """
    if not since.segment:
        return True
    found = head_of(directory, since.segment)
    return bool(found) and head in (None, found) and used(directory / since.segment) >= since.offset


def keep_aside(segment: Path, start: int, size: int) -> None:
    """Copy these bytes of a segment into the folder `damaged` beside it, which outlives the segment."""
    folder = segment.with_name(DAMAGED)
    folder.mkdir(mode=0o700, exist_ok=True)
    with segment.open("rb") as file:
        file.seek(start)
        (folder / f"{segment.stem}-{start:010d}.bin").write_bytes(file.read(size))


def unread(directory: Path, since: Position) -> int:
    """Bytes written to the segment of `since` behind it."""
    try:
        return max(used(directory / since.segment) - since.offset, 0)
    except FileNotFoundError:
        return 0


def backlog(directory: Path, since: Position) -> int:
    """Bytes of the whole journal behind `since`."""
    newer = (path for path in segments(directory) if path.name > since.segment)
    behind = sum(unread(directory, Position(path.name)) for path in newer)
    return behind + (unread(directory, since) if since.segment else 0)


def sweep(directory: Path, drained: Position, older_than: float) -> list[str]:
    """Delete the segments before `drained` last written before `older_than` (Unix seconds); return their
    names.

    Drained segments are kept for a while because a database that fails over may lose its last rows, and then
    says so by an older position.
    """
    swept = []
    for path in segments(directory):
        if path.name < drained.segment and path.stat().st_mtime < older_than:
            path.unlink()
            swept.append(path.name)
    return swept
