"""The worker's jobs for audio: seal, destroy, sweep and count it, and mark what is being recorded."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from config.settings import Settings
from storage.encrypted_store import EncryptedStore
from storage.key_wrapper import MasterKeyError
from storage.spool import Spool
from storage.stores import key_wrapper_of, objects_of
from worker.counting import Counting
from worker.destruction import Destruction
from worker.job import Work
from worker.key_jobs import KeyJobs
from worker.leases import Leases
from worker.marking import Marking
from worker.metrics import WorkerMetrics
from worker.retention import retention_job
from worker.sealing import Sealing
from worker.sweeping import Sweeping

NO_KEY = "master_key is not set: voicemail waits in the spool; `callengine settings --new-key` makes one"


class AudioJobs:
    """The jobs for the audio of messages and recordings. Raises SettingsError when the master key is not one.

    `open_calls`: those of the journal that have not ended, None when not known. `posted` is called when a
    message may be mailed. `troubles`: why some of the work cannot be done now, in sentences.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        open_calls: Callable[[], frozenset[str] | None],
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        self._objects = objects_of(settings, settings.objects_marked)
        spool, leases = Spool(settings.asterisk.recordings, settings.spool_marked), Leases(settings.node)
        self._destruction = Destruction(settings, spool, self._objects, leases)
        self._sweeping = Sweeping(settings.node, spool, open_calls)
        self.destroying = self._destruction.destroying
        self.jobs: list[Work] = [
            Marking(spool.folder),
            self.destroying,
            self._destruction.shredding,
            retention_job(settings),
            self._sweeping.job,
            Counting(metrics).job,
        ]
        self._encrypted_store: EncryptedStore | None = None
        if key_wrapper := key_wrapper_of(settings):
            self._encrypted_store = store = EncryptedStore(self._objects, key_wrapper)
            self._sealing = Sealing(settings, spool, store, leases, (posted, self.destroying.wake))
            rotation = timedelta(minutes=settings.key_rotation_minutes)
            self._keys = KeyJobs(self._objects, key_wrapper, rotation)
            self.jobs += [self._sealing.job, *self._keys.jobs]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Close the store at the end of the block, when no job runs: a mail still reads its sound."""
        try:
            yield
        finally:
            await self._objects.close()

    @property
    def troubles(self) -> list[str]:
        troubles = [*self._destruction.troubles, *self._sweeping.troubles]
        if not self._encrypted_store:
            return [NO_KEY, *troubles]
        return [*troubles, *self._keys.troubles, *self._sealing.troubles]

    def wake(self) -> None:
        """There are new calls in the database."""
        if self._encrypted_store:
            self._sealing.job.wake()

    async def fetch_for_mail(self, con: asyncpg.Connection, audio_id: str) -> bytes:
        """The plain audio of a message. Raises as EncryptedStore does; MasterKeyError without a key."""
        if not self._encrypted_store:
            raise MasterKeyError(NO_KEY)
        return await self._encrypted_store.fetch_for_mail(con, audio_id)
