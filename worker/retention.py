"""The worker's job that applies an owner's shortened retention to recordings that exist already."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from config.copies import content_digest
from config.errors import ConfigErrors
from config.owners import retentions as retentions_of
from config.settings import Settings
from config.versions import Versions
from storage import retentions
from worker.job import Job

RETAIN_SECONDS = 2.0
log = structlog.get_logger()


def retention_job(settings: Settings) -> Job:
    in_force = Versions(settings.routing_versions).in_force
    return Job("retain", Retention(settings.node, in_force).look, RETAIN_SECONDS)


class Retention:
    """Reads owners in `in_force`: the files of the routing version that the engine last put into force.

    So the engine alone decides what is in force, and a folder that would not go live destroys nothing.
    """

    def __init__(self, node: str, in_force: Path) -> None:
        self._node = node
        self._in_force = in_force
        self._seen: tuple[int, int] | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Store the retentions if they have changed, and apply those that were shortened; always False.

        A shortened one is applied again and again: a recording of a call that was live then is stored later.
        Raises asyncpg's errors.
        """
        retentions_in_force = await asyncio.to_thread(self._changed)
        if retentions_in_force is not None:
            await retentions.store(con, self._node, retentions_in_force)
        shortened = await retentions.shorten(con, self._node)
        if shortened:
            log.info("retention_shortened", recordings=len(shortened))
        return False

    def _changed(self) -> Mapping[str, timedelta] | None:
        """The owners' retentions in the version in force; None when it is the same version as last time.

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
            by_owner = retentions_of(version)
        except (OSError, ConfigErrors):
            return None  # it is being replaced at this moment, or no engine has run here yet
        self._seen = seen
        return by_owner
