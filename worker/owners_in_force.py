"""The owners in force on this node: those of the routing version that the engine last put into force, with
their own changes.

So the engine alone decides what is in force, and a folder that would not go live destroys nothing.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import structlog

from config.copies import content_digest
from config.errors import ConfigErrors
from config.owner_changes import AllChanges, OwnerChanges
from config.owners import owners_in
from dialplan.number import Owner
from storage.owner_changes import all_changes

log = structlog.get_logger()


class OwnersInForce:
    """`in_force`: the symbolic link to the version in force (config.versions)."""

    def __init__(self, in_force: Path) -> None:
        self._in_force = in_force
        self._seen: tuple[int, int] | None = None
        self._owners: Mapping[str, Owner] | None = None
        self._changes: AllChanges | None = None
        self._applied = OwnerChanges()

    async def look(self, con: asyncpg.Connection) -> Mapping[str, Owner] | None:
        """The owners in force, with what they have changed; None when they are the same as last time.

        Their changes come from the database, never from the file of this node: a file that is missing could
        shorten a retention. Raises asyncpg's errors.
        """
        return await asyncio.to_thread(self.changed, await all_changes(con))

    def changed(self, changes: AllChanges) -> Mapping[str, Owner] | None:
        """The same with these changes. Blocks. A damaged version is ignored: an owner's truncated file
        could shorten a retention.
        """
        if not self._read() and changes == self._changes:
            return None
        if self._owners is None:
            return None
        self._applied.use(changes)
        self._changes = changes
        return self._applied.apply_all(self._owners)

    def _read(self) -> bool:
        """Read the version in force, if it is another; whether it was."""
        try:
            version = self._in_force.resolve(strict=True)
            stat = version.stat()
            seen = (stat.st_ino, stat.st_ctime_ns)
            if seen == self._seen:
                return False
            if content_digest(version) != version.name:
                self._seen = seen
                log.error("routing_version_unusable", digest=version.name, why="damaged")
                return False
            self._owners = owners_in(version)
        except (OSError, ConfigErrors):
            return False  # it is being replaced at this moment, or no engine has run here yet
        self._seen = seen
        return True
