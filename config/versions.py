"""Routing versions on disk: for calls that began under them, and for the operator's history.

    ROOT/<digest>/       the routing folder as it was accepted, never changed afterwards
    ROOT/<digest>.json   when it was in force, and the SHA-256 of each of its prompts
    ROOT/<digest>.files  the SHA-256 of each of its files
    ROOT/in-force        a symbolic link to the version that is, or was last, in force

A version is whole or absent: its files are on the disk before it gets its name. A file that did not change
since the version before is the same file (a hard link): docs/decisions/011-routing-versions.md.
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from config import version_files
from config.copies import Manifest, content_digest, read_manifest, sha256_of, sync
from config.errors import ConfigErrors
from config.folder import list_files
from config.load import load
from config.policy import Policy
from config.version_files import DRAFT, IN_FORCE
from dialplan.routing import Routing


class Why(StrEnum):
    """Why a version is not available."""

    GONE = "gone"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


class VersionError(Exception):
    """A version that is not available. `detail`: the first error, if this software cannot read it."""

    def __init__(self, digest: str, why: Why, detail: str = "") -> None:
        super().__init__(digest, why, detail)  # all arguments: it is pickled by another process
        self.digest, self.why, self.detail = digest, why, detail


@dataclass(frozen=True, slots=True)
class Period:
    """When a version was in force. `until`: None while it is, or if the engine was killed in it."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version. `prompts`: their SHA-256, with the built-in ones."""

    digest: str
    periods: tuple[Period, ...]
    prompts: frozenset[str]

    @property
    def may_be_in_force(self) -> bool:
        return self.periods[-1].until is None

    @property
    def last_in_force(self) -> datetime:
        """The last instant at which it is known to have been in force."""
        return max(period.until or period.since for period in self.periods)

    @property
    def entered(self) -> datetime:
        return max(period.since for period in self.periods)

    def as_json(self) -> str:
        periods = [
            {"since": period.since.isoformat(), "until": period.until and period.until.isoformat()}
            for period in self.periods
        ]
        return json.dumps({"in_force": periods, "prompts": sorted(self.prompts)}, indent=1) + "\n"


class Versions:
    """The versions in folder `root`, created if missing. Only one process changes it: the engine.

    Every method reads or writes the disk, slowly if there are thousands of files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def in_force(self) -> Path:
        """The files of the version in force; absent before the first one."""
        return self.root / IN_FORCE

    @property
    def cache(self) -> Path:
        """The file of what earlier readings found: config/cache.py."""
        return self.root.with_name("routing.cache")

    @property
    def snapshot(self) -> Path:
        """The copy of the last good folder that earlier engines stored; used once, then removed."""
        return self.root.with_name("routing.snapshot")

    def remove_snapshot(self) -> None:
        shutil.rmtree(self.snapshot, ignore_errors=True)

    def holds(self, digest: str) -> bool:
        """Whether this version was stored; it may be damaged since."""
        return (self.root / digest).is_dir()

    def is_at(self, folder: Path, digest: str) -> bool:
        """Whether this folder is, perhaps by a symbolic link, the stored version itself."""
        return folder.resolve() == (self.root / digest).resolve()

    def contains(self, folder: Path) -> bool:
        """Whether this folder is a stored version, or claims to be one."""
        return folder.resolve().parent == self.root.resolve()

    def manifest(self, digest: str) -> Manifest:
        """Return the files of a stored version; nothing if that is not known."""
        return read_manifest(self.root / f"{digest}.files")

    def store(self, folder: Path, digest: str, known: Mapping[str, str] | None = None) -> None:
        """Store a folder that was read as `digest`, unless that version is stored already.

        `known`: the SHA-256 of all its files, by path in the folder; a file that the version before has is
        not read. Raises FolderChangedError if the folder has changed since, and OSError.
        """
        version_files.store(self.root, folder, digest, known)

    def enter(self, digest: str, prompts: Collection[str], now: datetime) -> datetime:
        """Record that a stored version comes into force, and that the one before leaves. Raises OSError.

        Return since when it has been in force: longer than `now` if only the engine was away.
        """
        before = self._read(digest)
        periods = before.periods if before else ()
        if before is None or not before.may_be_in_force:  # otherwise only the engine was away
            self._leave(now)
            periods = (*periods, Period(now))
        self._write(Version(digest, periods, frozenset(prompts)))
        draft = self.root / f"{DRAFT}-{IN_FORCE}"
        draft.unlink(missing_ok=True)
        draft.symlink_to(digest)
        draft.rename(self.in_force)
        sync(self.root)
        return periods[-1].since

    def in_force_digest(self) -> str:
        """Return the version that is, or was last, in force; empty before the first one."""
        return version_files.in_force_digest(self.root)

    def _leave(self, now: datetime) -> None:
        for digest in self._digests():
            version = self._read(digest)
            if version and version.may_be_in_force:
                *ended, last = version.periods
                self._write(Version(version.digest, (*ended, Period(last.since, now)), version.prompts))

    def all(self) -> list[Version]:
        """Return every stored version, the latest in force first."""
        versions = [self._read(digest) or self._of_files(digest) for digest in self._digests()]
        return sorted(versions, key=lambda version: version.entered, reverse=True)

    def _digests(self) -> list[str]:
        try:
            return [entry.name for entry in os.scandir(self.root) if is_digest(entry.name)]
        except FileNotFoundError:
            return []

    def read(self, digest: str, policy: Policy | None = None) -> Routing:
        """Return a stored version, after comparing its files with its digest. With a policy, check it again.

        Raises VersionError, and PermissionError.
        """
        place = self.root / digest
        try:
            exists = is_digest(digest) and bool(place.stat())
        except (FileNotFoundError, NotADirectoryError):
            exists = False
        if not exists:
            raise VersionError(digest, Why.GONE)
        if content_digest(place) != digest:
            raise VersionError(digest, Why.DAMAGED)
        try:
            return load(place, policy)
        except ConfigErrors as error:
            raise VersionError(digest, Why.UNREADABLE, str(error.errors[0])) from None

    def forget(self, keep: Collection[str], before: datetime) -> list[Version]:
        """Remove versions last in force before that instant, except those to `keep`; return them."""
        others = [version for version in self.all() if version.digest not in keep]
        old = [
            version for version in others if not version.may_be_in_force and version.last_in_force < before
        ]
        for version in old:
            version_files.remove(self.root / version.digest)
            for suffix in ("json", "files"):
                (self.root / f"{version.digest}.{suffix}").unlink(missing_ok=True)
        return old

    def tidy(self) -> None:
        """Remove what a killed engine left half written or half removed."""
        for place in self.root.glob(".*"):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)

    def _write(self, version: Version) -> None:
        version_files.replace(self.root / f"{version.digest}.json", version.as_json())

    def _read(self, digest: str) -> Version | None:
        """Return a version as its file describes it; None if the file is lost or damaged."""
        try:
            stored = json.loads((self.root / f"{digest}.json").read_bytes())
            periods = tuple(
                Period(
                    datetime.fromisoformat(period["since"]),
                    datetime.fromisoformat(period["until"]) if period["until"] else None,
                )
                for period in stored["in_force"]
            )
            return Version(digest, periods, frozenset(stored["prompts"])) if periods else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _of_files(self, digest: str) -> Version:
        """Return a version without a description, according to its files."""
        place = self.root / digest
        made = datetime.fromtimestamp(place.stat().st_mtime).astimezone()
        prompts = frozenset(sha256_of(file) for file in list_files(place).prompts)
        return Version(digest, (Period(made, made),), prompts)


def is_digest(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text, re.ASCII) is not None
