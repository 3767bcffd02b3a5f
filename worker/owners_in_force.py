"""The owners in force on this node: those of the routing version that the engine last put into force.

So the engine alone decides what is in force, and a folder that would not go live destroys nothing.
"""

from collections.abc import Mapping
from pathlib import Path

import structlog

from config.copies import content_digest
from config.errors import ConfigErrors
from config.owners import owners_in
from dialplan.number import Owner

log = structlog.get_logger()


class OwnersInForce:
    """`in_force`: the symbolic link to the version in force (config.versions)."""

    def __init__(self, in_force: Path) -> None:
        self._in_force = in_force
        self._seen: tuple[int, int] | None = None

    def changed(self) -> Mapping[str, Owner] | None:
        """The owners in the version in force; None when it is the same version as last time. Blocks.

        A damaged version is ignored: an owner's truncated file could shorten a retention.
        """
        try:
            version = self._in_force.resolve(strict=True)
            stat = version.stat()
            seen = (stat.st_ino, stat.st_ctime_ns)
            if seen == self._seen:
                return None
            if content_digest(version) != version.name:
                self._seen = seen
                log.error("routing_version_unusable", digest=version.name, why="damaged")
                return None
            owners = owners_in(version)
        except (OSError, ConfigErrors):
            return None  # it is being replaced at this moment, or no engine has run here yet
        self._seen = seen
        return owners
