"""The spool: the folder where Asterisk writes audio, in plain, until it is sealed and stored."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from journal.disk import files_of, sync, sync_directory
from journal.fault import point
from journal.ids import AUDIO_ID
from storage.parts import NAME, Part
from storage.same_folder import another

# The engine names the files: by the id of the message or recording, and of a recording also by the part
# (storage/parts.py). Earlier versions left two files of a recording: what the caller said (-in) and what the
# caller heard (-out).
SIDES = ("-in", "-out")
FILES = ("", *SIDES)


class SpoolAway(OSError):
    """The spool's folder is missing, or is another one: a file that is missing in it may exist."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """Audio in one file or several: its id, its call's id, and when it was last written."""

    audio_id: str
    call_id: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder `recordings` of Asterisk on this host.

    `marked`: a file in the worker's state folder; it exists once the spool's folder has its mark.
    """

    folder: Path
    marked: Path | None = None

    def read(self, audio_id: str) -> bytes | None:
        """The file of a message, synced to disk first; None when there is none. Raises SpoolAway, OSError."""
        return self._read(audio_id, "")

    def read_sides(self, audio_id: str) -> tuple[bytes | None, bytes | None]:
        """The two files of a recording by an earlier version: what the caller said, what the caller heard."""
        caller, destination = (self._read(audio_id, side) for side in SIDES)
        return caller, destination

    def read_parts(self, audio_id: str) -> list[Part]:
        """The parts of a recording, synced to disk first. Raises SpoolAway, OSError."""
        self._look()
        parts = []
        for file in self._parts(audio_id):
            named = NAME.fullmatch(file.name, len(audio_id))
            if named and file.suffix == ".raw":
                sync(file)
                parts.append(Part.read(file, named))
        return parts

    def written(self, audio_id: str) -> datetime | None:
        """When any of its files was last written; None when there is none."""
        times = []
        for file in self._paths(audio_id):
            with suppress(FileNotFoundError):
                times.append(written_at(file))
        return max(times, default=None)

    def remove(self, audio_id: str) -> bool:
        """Remove its files from the disk; return whether there was any. Raises SpoolAway, OSError."""
        self._look()
        removed = False
        for file in self._paths(audio_id):
            point("spool.before_unlink")
            with suppress(FileNotFoundError):
                file.unlink()
                removed = True
        point("spool.after_unlink")
        if removed:
            sync_directory(self.folder)
        return removed

    def sounds(self) -> list[Spooled]:
        """All audio in the spool. Raises SpoolAway."""
        self._look()
        newest: dict[str, Spooled] = {}
        for file in self.folder.iterdir():
            audio_id = audio_id_of(file.name)
            if named := AUDIO_ID.fullmatch(audio_id):
                with suppress(FileNotFoundError):
                    spooled = Spooled(audio_id, named["call"], written_at(file))
                    known = newest.get(audio_id, spooled)
                    newest[audio_id] = max(known, spooled, key=lambda audio: audio.written)
        return list(newest.values())

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
        """The files of all parts, with their marks."""
        if not AUDIO_ID.fullmatch(audio_id):
            raise ValueError(f"{audio_id!r} is not a valid audio id")
        files = files_of(self.folder, audio_id)
        return [file for file in files if NAME.fullmatch(file.name, len(audio_id))]

    def _path(self, audio_id: str, which: str) -> Path:
        if not AUDIO_ID.fullmatch(audio_id):
            raise ValueError(f"{audio_id!r} is not a valid audio id")
        return self.folder / f"{audio_id}{which}.wav"

    def _look(self) -> None:
        if not self.folder.is_dir():
            raise SpoolAway(
                f"{self.folder} is missing: create it, or correct asterisk.recordings in the settings"
            )
        if self.marked is not None and (why := another(self.folder, self.marked)):
            raise SpoolAway(why)


def audio_id_of(name: str) -> str:
    """The id in the name of a file, if the engine named it; else something that is not an id."""
    if name.endswith(".wav"):
        return name.removesuffix(".wav").removesuffix("-in").removesuffix("-out")
    named = NAME.search(name)
    return name[: named.start()] if named and named.end() == len(name) else ""


def written_at(file: Path) -> datetime:
    """Raises FileNotFoundError."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
