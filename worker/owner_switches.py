"""The worker's job that adds the switches of owners, from the database, to this node's file of switches."""

import asyncio
from pathlib import Path

import asyncpg
import structlog

from config.settings import Settings
from config.switches import FILE, Switched, latest_of, read_all, write
from storage import owner_switches
from worker.job import Job

LOOK_SECONDS = 1.0
log = structlog.get_logger()


def owner_switches_job(settings: Settings) -> Job:
    return Job("owner switches", OwnerSwitches(settings.state / FILE).look, LOOK_SECONDS)


class OwnerSwitches:
    """Adds what the file does not have. A later line of an operator counts more."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._added: list[Switched] | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Add what is missing; always False. Raises OSError, asyncpg's errors."""
        wanted = await owner_switches.latest(con)
        if wanted != self._added:
            added = await asyncio.to_thread(self._add, wanted)
            self._added = wanted
            log.info("owner_switches_added", switches=added)
        return False

    def _add(self, wanted: list[Switched]) -> int:
        try:
            there = latest_of(read_all(self._file))
        except FileNotFoundError:
            there = {}
        missing = [one for one in wanted if one.key not in there or there[one.key].at < one.at]
        for one in missing:
            write(self._file, one)
        return len(missing)
