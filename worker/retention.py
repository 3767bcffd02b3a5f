"""The worker's job that applies an owner's shortened retention to recordings that exist already."""

from pathlib import Path

import asyncpg
import structlog

from config.settings import Settings
from config.versions import Versions
from storage import retentions
from worker.job import Job
from worker.owners_in_force import OwnersInForce

RETAIN_SECONDS = 2.0
log = structlog.get_logger()


def retention_job(settings: Settings) -> Job:
    in_force = Versions(settings.routing_versions).in_force
    return Job("retain", Retention(settings.node, in_force).look, RETAIN_SECONDS)


class Retention:
    """Reads owners in `in_force`: the files of the routing version that the engine last put into force."""

    def __init__(self, node: str, in_force: Path) -> None:
        self._node = node
        self._owners = OwnersInForce(in_force)

    async def look(self, con: asyncpg.Connection) -> bool:
        """Store the retentions if they have changed, and apply those that were shortened; always False.

        A shortened one is applied again and again: a recording of a call that was live then is stored later.
        Raises asyncpg's errors.
        """
        owners = await self._owners.look(con)
        if owners is not None:
            await retentions.store(con, self._node, retentions.of(owners))
        shortened = await retentions.shorten(con, self._node)
        if shortened:
            log.info("retention_shortened", recordings=len(shortened))
        return False
