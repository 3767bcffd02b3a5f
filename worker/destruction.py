"""The worker's jobs that destroy audio on time, while the time can be trusted."""

import asyncpg

from config.settings import Settings
from storage.destruction import Destroyer
from storage.objects import Objects
from storage.spool import Spool
from worker.job import Job
from worker.leases import Leases
from worker.trusted_time import TrustedTime

DESTROY_SECONDS = 2.0


class Destruction:
    """`troubles`: why nothing is destroyed."""

    def __init__(self, settings: Settings, spool: Spool, objects: Objects, leases: Leases) -> None:
        self.destroying = Job("destroy", self._destroy, DESTROY_SECONDS)
        self.shredding = Job("shred", self._shred, DESTROY_SECONDS)
        self.troubles: list[str] = []
        self._destroyer = Destroyer(settings.node, spool, objects)
        self._leases = leases
        self._trusted = TrustedTime(settings.trusted_clock)

    async def _destroy(self, con: asyncpg.Connection) -> bool:
        async with self._leases.piece(con):
            return await self._may_destroy(con) and await self._destroyer.destroy_next(con)

    async def _shred(self, con: asyncpg.Connection) -> bool:
        async with self._leases.piece(con):
            return await self._may_destroy(con) and await self._destroyer.shred_next(con)

    async def _may_destroy(self, con: asyncpg.Connection) -> bool:
        why = await self._trusted.objection(con)
        self.troubles = [why] if why else []
        return not why
