"""The spool: where Asterisk writes sounds, in plain, until they are sealed and stored."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.disk import sync, sync_directory
from storage.fault import point

# Asterisk's files of ours are named by us: a call's id, and which of its sounds it is.
OURS = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[a-z]+[0-9]+")


class SpoolAway(OSError):
    """The spool's folder is not there: nothing may be concluded from what is missing in it."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file of ours: its sound's id, its call's, and when it was last written."""

    audio_id: str
    call_id: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder `recordings` of Asterisk on this host."""

    folder: Path

    def read(self, audio_id: str) -> bytes | None:
        """What Asterisk wrote, made durable first; None when it wrote nothing. Raises SpoolAway, OSError."""
        self._look()
        file = self._path(audio_id)
        try:
            sync(file)
            return file.read_bytes()
        except FileNotFoundError:
            return None

    def written(self, audio_id: str) -> datetime | None:
        """When its file was last written; None when there is none."""
        try:
            return datetime.fromtimestamp(self._path(audio_id).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def remove(self, audio_id: str) -> bool:
        """Have it gone from the disk; whether it was there. Raises SpoolAway, OSError."""
        self._look()
        point("spool.before_unlink")
        try:
            self._path(audio_id).unlink()
        except FileNotFoundError:
            return False
        point("spool.after_unlink")
        sync_directory(self.folder)
        return True

    def files(self) -> Iterator[Spooled]:
        """Every file of ours. Raises SpoolAway."""
        self._look()
        for file in self.folder.glob("*.wav"):
            if named := OURS.fullmatch(file.stem):
                with suppress(FileNotFoundError):
                    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
                    yield Spooled(file.stem, named[1], written)

    def _path(self, audio_id: str) -> Path:
        if not OURS.fullmatch(audio_id):
            raise ValueError(f"{audio_id!r} is no id of a sound")
        return self.folder / f"{audio_id}.wav"

    def _look(self) -> None:
        if not self.folder.is_dir():
            raise SpoolAway(f"{self.folder} is not there: asterisk.recordings in the settings names it")
