"""Calls as Asterisk's CEL has them, read from its files: all lines, whatever the engine has taken of them.

For reconciliation. The engine reads each line once, as it comes: engine/ari/cel_reader.py.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BufferedReader
from pathlib import Path

from journal.cel import CelEvent, parse, records

LONGEST_LINE = 8192
GUARD_CAUSE = 21  # Q.850: the door's answer to a call with an unprintable Call-ID
BUILT_IN = "dialplan/builtin"
TAKEN_IN = frozenset({"RING", "FALLBACK", "BACK", "NOBODY"})
ZERO = timedelta(0)


@dataclass(slots=True)
class CelCall:
    """A call by its lines of CEL. Instants are those of the caller's own channel.

    `number`: as it was dialled. `refused`: why the dialplan did not take the call; "" where it did.
    """

    channel: str
    number: str
    began: datetime
    answered: datetime | None = None
    ended: datetime | None = None
    refused: str = ""
    taken_in: bool = False

    @property
    def talk(self) -> timedelta:
        """From answer to end; zero where either is missing."""
        return max(self.ended - self.answered, ZERO) if self.ended and self.answered else ZERO

    def add(self, event: CelEvent) -> None:
        """Take in a line of this call."""
        if event.kind in TAKEN_IN:
            self.taken_in = True
        elif event.kind == "REFUSED":
            self.refused = str(event.extra.get("why", "")) or "unknown"
        elif event.is_of_caller and event.kind == "ANSWER":
            self.answered = self.answered or event.at
        elif event.withdraws(self.answered):
            self.answered = None
        elif event.is_of_caller and event.kind == "HANGUP":
            self.ended = self.ended or event.at
            if self._is_refused_by_guard(event):
                self.refused = "guard"

    def _is_refused_by_guard(self, event: CelEvent) -> bool:
        """Whether the door itself hung up, before anybody had the call."""
        by_dialplan = event.extra.get("hangupsource") == BUILT_IN
        unserved = not self.taken_in and self.answered is None and not self.refused
        return unserved and by_dialplan and event.extra.get("hangupcause") == GUARD_CAUSE


def cel_calls(events: Iterable[CelEvent]) -> list[CelCall]:
    """The calls whose beginning is among these lines, in its order. A line that comes twice counts once.

    After a restart within one second Asterisk gives the same channel ids again: a second beginning with
    another instant is another call.
    """
    calls: dict[tuple[str, datetime], CelCall] = {}
    present: dict[str, CelCall] = {}
    for event in events:
        if event.kind == "CHAN_START" and event.is_of_caller:
            call = calls.setdefault((event.call, event.at), CelCall(event.call, event.exten, event.at))
            present[event.call] = call
        elif (known := present.get(event.call)) is not None:
            known.add(event)
    return list(calls.values())


def cel_events(cel: Path, since: datetime) -> Iterator[CelEvent]:
    """All lines of CEL since then, those of rotated files first. Raises OSError.

    `cel`: the file that Asterisk writes. A line that cannot be read costs itself; a damaged gzip file, the
    rest of it.
    """
    for path in cel_files(cel):
        with suppress(FileNotFoundError):  # removed or renamed meanwhile; a renamed one is listed as well
            if path.stat().st_mtime >= since.timestamp():
                yield from (event for event in _events_of(path) if event.at >= since)


def cel_files(cel: Path) -> list[Path]:
    """The file that Asterisk writes and those it was before, the one written last at the end."""
    dated = []
    for path in cel.parent.iterdir():
        if path == cel or path.name.startswith((f"{cel.name}.", f"{cel.name}-")):
            with suppress(FileNotFoundError):
                dated.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(dated) if path.is_file()]


def _events_of(path: Path) -> Iterator[CelEvent]:
    with _opened(path) as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        while line := file.readline(LONGEST_LINE):
            for part in line.rstrip(b"\n").split(b"\0"):  # a power cut leaves NUL bytes
                for record in records(part):
                    with suppress(ValueError):
                        yield parse(record)


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
