"""The worker's job that seals audio, once the object store has been seen to work."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import structlog

from config.settings import Settings
from storage.encrypted_store import EncryptedStore
from storage.sealing import Sealer
from storage.spool import Spool
from worker.job import Job
from worker.leases import Leases

SEAL_SECONDS = 1.0  # between two looks into the database, when nobody wakes the job
AT_ONCE = 2
log = structlog.get_logger()


class Sealing:
    """`troubles`: why nothing is sealed. The functions of `then` are called after each attempt."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        encrypted_store: EncryptedStore,
        leases: Leases,
        then: tuple[Callable[[], None], ...],
    ) -> None:
        self.job = Job("seal", self._seal, SEAL_SECONDS, then, concurrency=AT_ONCE)
        self.troubles = ["the object store has not been checked yet"]
        kept = timedelta(days=settings.mail.keep_undeliverable_days)
        self._sealer = Sealer(settings.node, spool, encrypted_store, kept)
        self._objects = encrypted_store.objects
        self._leases = leases
        self._checking = asyncio.Lock()

    async def _seal(self, con: asyncpg.Connection) -> bool:
        async with self._leases.piece(con):
            if self.troubles:
                await self._check_objects()
            return not self.troubles and await self._sealer.seal_next(con) is not None

    async def _check_objects(self) -> None:
        """Check the object store, once for all attempts at a time: a check writes, reads and deletes."""
        async with self._checking:
            if self.troubles:
                before, self.troubles = self.troubles, await self._objects.objections()
                if self.troubles and self.troubles != before:
                    log.critical("sealing_blocked", why=self.troubles)
