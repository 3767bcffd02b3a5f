"""What the engine finds in its journal at start: the calls that have no end yet."""

from dataclasses import dataclass, field
from pathlib import Path

from journal.reader import Entry, Record, read
from journal.segment import cut_zeros, segments


class OpenCalls(dict[str, list[Entry]]):
    """The entries, in order, of every call that has begun and not ended."""

    def add(self, entry: Entry) -> list[Entry] | None:
        """Take note of one entry; if it ends its call, all of that call's entries."""
        if entry["kind"] == "checkpoint":
            self.clear()
            self.update({entries[0]["call"]: entries for entries in entry["open"]})
            return None
        if entry["kind"] == "call_start":
            self[entry["call"]] = []
        entries = self.get(entry["call"])
        if entries is None:  # said after the call's end: part of its story, not of its record
            return None
        entries.append(entry)
        return self.pop(entry["call"]) if entry["kind"] == "call_end" else None


@dataclass(slots=True)
class Recovered:
    """What an earlier engine has left: its open calls, its newest segment or "", its last wall stamp, ns."""

    open_calls: OpenCalls = field(default_factory=OpenCalls)
    newest: str = ""
    wall: int = 0


def recover(directory: Path) -> Recovered:
    """Read the newest segment that begins whole, and what came after it; give back what was never written."""
    for draft in directory.glob("*.draft"):
        draft.unlink()
    found = Recovered()
    for path in from_checkpoint(segments(directory)):
        cut_zeros(path)
        for record in read(path).records:
            found.open_calls.add(record.entry)
            found.wall = max(found.wall, record.wall)
        found.newest = path.name
    return found


def from_checkpoint(paths: list[Path]) -> list[Path]:
    """The newest segment that begins with a readable checkpoint, and any after it; as a rule, one."""
    for i in reversed(range(len(paths))):
        if first_record(paths[i]) is not None:
            return paths[i:]
    return paths


def first_record(path: Path) -> Record | None:
    return next(iter(read(path, most=1).records), None)
