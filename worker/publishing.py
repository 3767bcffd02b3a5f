"""The worker's job that publishes what a restore has to repeat: what was destroyed, held and erased since."""

import asyncpg
import structlog

from storage.backup import erasures
from storage.backup.since import Publisher
from storage.key_wrapper import KeyWrapper
from storage.objects import Objects, ObjectsTrouble
from worker.job import Job

PUBLISH_SECONDS = 60.0
log = structlog.get_logger()


class Publishing:
    """A restore does not know what was done in the last PUBLISH_SECONDS before the database's loss."""

    def __init__(self, objects: Objects, key_wrapper: KeyWrapper) -> None:
        self.job = Job("publish", self._publish, PUBLISH_SECONDS)
        self._publisher = Publisher(objects, key_wrapper)
        self._objects = objects
        self._key_wrapper = key_wrapper

    async def _publish(self, con: asyncpg.Connection) -> bool:
        try:
            of_backups = await self._publisher.publish_next(con)
            return await erasures.publish_next(con, self._objects, self._key_wrapper) or of_backups
        except ObjectsTrouble as trouble:
            log.warning("destructions_not_published", error=str(trouble))
            return False
