"""What an owner's shortened retention does to recordings that exist already: it counts for them at once."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from config.copies import content_digest
from config.errors import ConfigErrors
from config.owners import retentions
from storage import recordings

log = structlog.get_logger()


class Retention:
    """Reads owners in `in_force`: the files of the routing version that the engine last put into force.

    So one judge decides what is in force, and a folder that would not go live destroys nothing.
    """

    def __init__(self, node: str, in_force: Path) -> None:
        self._node = node
        self._in_force = in_force
        self._seen: tuple[int, int] | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Take what has changed, one piece of a job. Raises asyncpg's errors.

        What was shortened is looked for again and again: a call that was live then comes in only later.
        """
        keeps = await asyncio.to_thread(self._changed)
        if keeps is not None:
            await recordings.see(con, self._node, keeps)
        shortened = await recordings.shorten(con, self._node)
        if shortened:
            log.info("retention shortened", recordings=len(shortened))
        return False

    def _changed(self) -> Mapping[str, timedelta] | None:
        """What owners say in the version in force, if it is another one than last time.

        A damaged version says nothing: an owner's file cut short could shorten a retention.
        """
        try:
            place = self._in_force.resolve(strict=True)
            stat = place.stat()
            found = (stat.st_ino, stat.st_ctime_ns)
            if found == self._seen:
                return None
            if content_digest(place) != place.name:
                self._seen = found
                log.error("routing_version_unusable", digest=place.name, why="damaged")
                return None
            keeps = retentions(place)
        except (OSError, ConfigErrors):
            return None  # it is just being replaced, or no engine has run here yet
        self._seen = found
        return keeps
