"""The worker's job that applies an owner's shortened retention to recordings that exist already."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from config.owner_changes import AllChanges
from config.settings import Settings
from config.versions import Versions
from storage import retentions
from storage.owner_changes import all_changes
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
        changes = await all_changes(con)  # never from a file: one that is missing could shorten a retention
        retentions_in_force = await asyncio.to_thread(self._changed, changes)
        if retentions_in_force is not None:
            await retentions.store(con, self._node, retentions_in_force)
        shortened = await retentions.shorten(con, self._node)
        if shortened:
            log.info("retention_shortened", recordings=len(shortened))
        return False

    def _changed(self, changes: AllChanges) -> Mapping[str, timedelta] | None:
        """The owners' retentions in force; None when they are the same as last time."""
        owners = self._owners.changed(changes)
        return None if owners is None else {name: owner.keep_recordings for name, owner in owners.items()}
