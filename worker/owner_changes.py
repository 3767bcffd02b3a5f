"""The worker's job that brings owners' own changes from the database to this node's engine and portal."""

import asyncio
from pathlib import Path

import asyncpg
import structlog

from config.owner_changes import FILE, AllChanges, write
from config.settings import Settings
from storage.owner_changes import all_changes
from worker.job import Job

LOOK_SECONDS = 1.0
log = structlog.get_logger()


def owner_changes_job(settings: Settings) -> Job:
    return Job("owner changes", OwnerChangesFile(settings.state / FILE).look, LOOK_SECONDS)


class OwnerChangesFile:
    """Writes the file when the database says something else than what was written last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: AllChanges | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Write the changes, if they are others; always False. Raises OSError, asyncpg's errors."""
        changes = await all_changes(con)
        if changes != self._written:
            await asyncio.to_thread(write, self._file, changes)
            self._written = changes
            log.info("owner_changes_written", owners=len(changes))
        return False
