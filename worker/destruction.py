"""The worker's jobs that destroy audio on time, while the clocks agree on the time."""

from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from storage.destruction import Destroyer
from storage.objects import Objects
from storage.spool import Spool
from worker.job import Job
from worker.leases import Leases

DESTROY_SECONDS = 2.0
CLOCKS_APART = timedelta(seconds=60)  # deadlines are read by PostgreSQL's clock, which may be wrong
WRONG_CLOCK = "the clocks of this host and of PostgreSQL differ: nothing is destroyed"
log = structlog.get_logger()


class Destruction:
    """`troubles`: why nothing is destroyed."""

    def __init__(self, node: str, spool: Spool, objects: Objects, leases: Leases) -> None:
        self.destroying = Job("destroy", self._destroy, DESTROY_SECONDS)
        self.shredding = Job("shred", self._shred, DESTROY_SECONDS)
        self.troubles: list[str] = []
        self._destroyer = Destroyer(node, spool, objects)
        self._leases = leases

    async def _destroy(self, con: asyncpg.Connection) -> bool:
        async with self._leases.piece(con):
            return await self._clocks_agree(con) and await self._destroyer.destroy_next(con)

    async def _shred(self, con: asyncpg.Connection) -> bool:
        async with self._leases.piece(con):
            return await self._clocks_agree(con) and await self._destroyer.shred_next(con)

    async def _clocks_agree(self, con: asyncpg.Connection) -> bool:
        difference = abs(datetime.now(UTC) - await con.fetchval("SELECT clock_timestamp()"))
        if difference <= CLOCKS_APART:
            self.troubles = []
            return True
        if not self.troubles:
            log.critical("destruction_blocked", why=WRONG_CLOCK, seconds=difference.total_seconds())
        self.troubles = [WRONG_CLOCK]
        return False
