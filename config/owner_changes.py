"""The owners' own changes on this node: a file of the state folder, written by the worker from the database.

Engine and portal read it: no call waits for a database, and an engine that starts without one has them.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from dialplan.number import Owner
from dialplan.owner_changes import Changes, changed

log = structlog.get_logger()

FILE = "owner-changes.json"
LOOK_SECONDS = 0.5
MOST_BYTES = 20_000_000

type AllChanges = Mapping[str, Changes]  # by the owner's name


@dataclass(frozen=True, slots=True)
class _Known:
    """The changes, and what they made of an owner, with the owner of the file."""

    changes: AllChanges
    applied: dict[str, tuple[Owner, Owner]]


class OwnerChanges:
    """The changes in `file`, which may be missing; without a file, those that `use` is given.

    `logs`: whether what happens is logged: not by a command, whose output it would be.
    """

    def __init__(self, file: Path | None = None, *, logs: bool = True) -> None:
        self._file = file
        self._logs = logs
        self._known = _Known({}, {})
        self._stamp: tuple[int, int, int] | None = None

    def use(self, changes: AllChanges) -> None:
        self._known = _Known(changes, {})  # at once: another thread may be applying those of before

    def apply(self, name: str, owner: Owner) -> Owner:
        """Return this owner of a routing as it is in force, with the owner's own changes.

        Changes that the operator's file does not allow any more are ignored, and logged once.
        """
        known = self._known
        changes = known.changes.get(name)
        if not changes:
            return owner
        ground, applied = known.applied.get(name, (None, owner))
        if ground is not owner:
            applied = self._changed(name, owner, changes)
            known.applied[name] = (owner, applied)
        return applied

    def apply_all(self, owners: Mapping[str, Owner]) -> dict[str, Owner]:
        return {name: self.apply(name, owner) for name, owner in owners.items()}

    def _changed(self, name: str, owner: Owner, changes: Changes) -> Owner:
        try:
            return changed(owner, changes)
        except ValidationError as error:
            settings = sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]})
            if self._logs:
                log.warning("owner_change_unusable", owner=name, settings=settings)
            return owner

    def read(self) -> bool:
        """Read the file if it has changed, and return whether it has. A file that cannot be read changes
        nothing."""
        if self._file is None:
            return False
        try:
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                return False
            changes = {} if stamp is None else _read(self._file)
        except (OSError, ValueError, RecursionError) as error:
            why = type(error).__name__
            if self._logs:
                log.warning("owner_changes_unreadable", file=str(self._file), error=why)
            return False
        self._stamp = stamp
        self.use(changes)
        if self._logs:
            log.info("owner_changes_read", owners=len(changes))
        return True

    async def watch(self) -> None:
        """Read the file whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.read)


def changes_in(state: Path, *, logs: bool = True) -> OwnerChanges:
    """The changes in force on this host, read once."""
    changes = OwnerChanges(state / FILE, logs=logs)
    changes.read()
    return changes


def write(file: Path, changes: AllChanges) -> None:
    """Replace the file; it is on the disk when this returns. Raises OSError."""
    new = file.with_suffix(".new")
    with open(new, "wb", opener=_private) as opened:
        opened.write(json.dumps(changes, ensure_ascii=False).encode())
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)


def _read(file: Path) -> AllChanges:
    """Raises OSError, ValueError."""
    with file.open("rb") as opened:
        found: Any = json.loads(opened.read(MOST_BYTES))
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise ValueError("not a mapping of owners")
    return found


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
