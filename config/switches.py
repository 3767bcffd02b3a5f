"""Switches that operators and owners put on and off, by number or owner: a file of the state folder.

`callengine switch` adds a line to the file, and so does the worker for an owner; no line is ever removed: so
the file says who put on what, when, until when, and why. Engine and portal read it.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import structlog

log = structlog.get_logger()

FILE = "switches.jsonl"
MOST_BYTES = 20_000_000  # the last 100,000 lines, read in under a second
# What a line raises that is not one: JSON nested too deep, or an instant out of bounds, included.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)

type Key = tuple[str, str]  # target and name
type Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Switched:
    """What an operator or an owner did to a switch. `target`: a number (E.164) or the name of an owner.

    `until`: when it goes off by itself; None: it was put off. `by`: who did it. Instants are aware, UTC.
    """

    at: datetime
    target: str
    name: str
    until: datetime | None
    by: str
    reason: str = ""

    @property
    def key(self) -> Key:
        return self.target, self.name

    def is_on(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def as_line(self) -> str:
        fields = asdict(self)
        fields |= {"at": self.at.isoformat(), "until": self.until and self.until.isoformat()}
        return json.dumps(fields, ensure_ascii=False) + "\n"

    @classmethod
    def of_line(cls, line: str) -> "Switched":
        """Raises ValueError, KeyError, TypeError."""
        fields = json.loads(line)
        until = fields["until"]
        return cls(
            _instant(fields["at"]),
            str(fields["target"]),
            str(fields["name"]),
            None if until is None else _instant(until),
            str(fields["by"]),
            str(fields["reason"]),
        )


def read_all(file: Path) -> list[Switched]:
    """Return all lines, in order, without those that cannot be read, which are logged. Raises OSError."""
    with file.open("rb") as opened:
        opened.seek(max(0, os.fstat(opened.fileno()).st_size - MOST_BYTES))
        lines = opened.read().decode("utf-8", errors="replace").splitlines()
    return list(_readable(file, lines))


def _readable(file: Path, lines: Iterable[str]) -> Iterator[Switched]:
    for place, line in enumerate(lines, start=1):
        try:
            yield Switched.of_line(line)
        except DAMAGED:
            log.warning("switches_unreadable", file=str(file), why=f"line {place} is damaged")


def latest_of(lines: Iterable[Switched]) -> dict[Key, Switched]:
    """Return the latest line of each switch."""
    return {one.key: one for one in lines}


def write(file: Path, switched: Switched) -> None:
    """Add a line; it is on the disk when this returns. Raises OSError.

    The file belongs to the owner of its folder, also if root writes it. A link is refused: the folder's owner
    could have it lead root to any file.
    """
    is_new = not file.exists()
    with open(file, "ab+", opener=_without_links) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        size = opened.seek(0, os.SEEK_END)
        if size and _last_byte(opened.fileno(), size) != b"\n":  # a power cut has cut a line
            opened.write(b"\n")
        opened.write(switched.as_line().encode())
        opened.flush()
        os.fsync(opened.fileno())
        if is_new:
            folder = file.parent.stat()
            with suppress(PermissionError):
                os.fchown(opened.fileno(), folder.st_uid, folder.st_gid)
    if is_new:
        _sync_folder(file.parent)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def _last_byte(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 1, size - 1)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stamp_of(file: Path) -> Stamp:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _instant(text: str) -> datetime:
    """Raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return instant
