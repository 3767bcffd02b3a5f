"""The spool: where Asterisk writes sounds, in plain, until they are sealed and stored."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from journal.disk import sync, sync_directory
from journal.fault import point
from journal.ids import AUDIO_ID
from storage.parts import NAME, Part

# The files are named by the engine: the id of the message or recording, and of a recording the
# part (storage/parts.py). Versions before left two files of one: what the caller said (-in), what they heard
# (-out).
SIDES = ("-in", "-out")
FILES = ("", *SIDES)


class SpoolAway(OSError):
    """The spool's folder is not there: nothing may be concluded from what is missing in it."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A sound of ours, in one file or several: its id, its call's, and when it was last written."""

    audio_id: str
    call_id: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder `recordings` of Asterisk on this host."""

    folder: Path

    def read(self, audio_id: str) -> bytes | None:
        """What Asterisk wrote, made durable first; None when it wrote nothing. Raises SpoolAway, OSError."""
        return self._read(audio_id, "")

    def read_sides(self, audio_id: str) -> tuple[bytes | None, bytes | None]:
        """The same of a conversation of a version before: what the caller said, and what they heard."""
        caller, destination = (self._read(audio_id, side) for side in SIDES)
        return caller, destination

    def read_parts(self, audio_id: str) -> list[Part]:
        """The parts of a conversation, made durable first. Raises SpoolAway, OSError."""
        self._look()
        parts = []
        for file in self._parts(audio_id):
            named = NAME.fullmatch(file.name, len(audio_id))
            if named and file.suffix == ".raw":
                sync(file)
                parts.append(Part.read(file, named))
        return parts

    def written(self, audio_id: str) -> datetime | None:
        """When it was last written; None when there is nothing of it."""
        times = []
        for file in self._paths(audio_id):
            with suppress(FileNotFoundError):
                times.append(written_at(file))
        return max(times, default=None)

    def remove(self, audio_id: str) -> bool:
        """Have it gone from the disk; whether any of it was there. Raises SpoolAway, OSError."""
        self._look()
        gone = False
        for file in self._paths(audio_id):
            point("spool.before_unlink")
            with suppress(FileNotFoundError):
                file.unlink()
                gone = True
        point("spool.after_unlink")
        if gone:
            sync_directory(self.folder)
        return gone

    def sounds(self) -> list[Spooled]:
        """Every sound of ours. Raises SpoolAway."""
        self._look()
        found: dict[str, Spooled] = {}
        for file in self.folder.iterdir():
            audio_id = sound_of(file.name)
            if named := AUDIO_ID.fullmatch(audio_id):
                with suppress(FileNotFoundError):
                    one = Spooled(audio_id, named["call"], written_at(file))
                    found[audio_id] = max(found.get(audio_id, one), one, key=lambda it: it.written)
        return list(found.values())

    def _read(self, audio_id: str, side: str) -> bytes | None:
        self._look()
        file = self._path(audio_id, side)
        try:
            sync(file)
            return file.read_bytes()
        except FileNotFoundError:
            return None

    def _paths(self, audio_id: str) -> list[Path]:
        return [*(self._path(audio_id, which) for which in FILES), *self._parts(audio_id)]

    def _parts(self, audio_id: str) -> list[Path]:
        """The files of all parts, sound and marks."""
        if not AUDIO_ID.fullmatch(audio_id):
            raise ValueError(f"{audio_id!r} is not a valid sound id")
        return [
            file for file in self.folder.glob(f"{audio_id}-*") if NAME.fullmatch(file.name, len(audio_id))
        ]

    def _path(self, audio_id: str, which: str) -> Path:
        if not AUDIO_ID.fullmatch(audio_id):
            raise ValueError(f"{audio_id!r} is not a valid sound id")
        return self.folder / f"{audio_id}{which}.wav"

    def _look(self) -> None:
        if not self.folder.is_dir():
            raise SpoolAway(f"{self.folder} is not there: asterisk.recordings in the settings names it")


def sound_of(name: str) -> str:
    """The id in the name of a file, if it is one of ours; else something that is no id."""
    if name.endswith(".wav"):
        return name.removesuffix(".wav").removesuffix("-in").removesuffix("-out")
    named = NAME.search(name)
    return name[: named.start()] if named and named.end() == len(name) else ""


def written_at(file: Path) -> datetime:
    """Raises FileNotFoundError."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
