"""What the worker does for sounds: it seals, destroys, sweeps and counts them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from config.settings import Settings, SettingsError
from config.versions import Versions
from storage.destruction import Destroyer
from storage.encrypted_store import EncryptedStore
from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken
from storage.lease import let_all_go
from storage.objects import Objects
from storage.objects.directory import Directory
from storage.objects.s3 import S3, Bucket
from storage.rotation import Rotation
from storage.sealing import Sealer
from storage.spool import Spool, SpoolAway
from storage.sweeping import Sweeper
from worker.job import Job, Work
from worker.marking import Marking
from worker.metrics import WorkerMetrics
from worker.retention import Retention

SEAL_SECONDS = 1.0  # between looks, when nobody wakes us
DESTROY_SECONDS = 2.0
RETAIN_SECONDS = 2.0
SWEEP_SECONDS = 60.0
COUNT_SECONDS = 15.0
ROTATE_SECONDS = 10.0
CLOCKS_APART = timedelta(seconds=60)  # deadlines are read by PostgreSQL's clock: is it to be trusted?
NO_KEY = "master_key is not set: voicemail waits in the spool; `callengine settings --new-key` makes one"
log = structlog.get_logger()

COUNT = "SELECT state, count(*) FROM audio WHERE state <> 'destroyed' GROUP BY state"
OVERDUE = """
SELECT count(*) FROM audio WHERE state IN ('stored', 'shredded', 'absent')
    AND hold IS NULL AND destroy_after < now() - interval '1 minute'
"""
RESIDUE = """
SELECT coalesce(extract(epoch FROM now() - min(since)), 0)::float8
FROM keys.residue WHERE group_id IS NOT NULL
"""


class Keeper:
    """The worker's jobs for recordings and messages. `posted` is called when a message may be mailed.

    `open_calls`: those of the journal that have not ended, None when not known. `troubles`: why it cannot do
    its work now, in sentences. Raises SettingsError when the master key is none.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: WorkerMetrics,
        open_calls: Callable[[], frozenset[str] | None],
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        self.objects = objects_of(settings)
        self.key_wrapper = key_wrapper_of(settings)
        self._node = settings.node
        self._open_calls = open_calls
        self._metrics = metrics
        spool = Spool(settings.asterisk.recordings)
        self._destroyer = Destroyer(self._node, spool, self.objects)
        self._sweeper = Sweeper(self._node, spool)
        self._objections = ["the object store has not been looked at yet"]
        self._away: list[str] = []
        self._unrotated: list[str] = []
        self._looking = asyncio.Lock()
        self._apart = False
        self._begun = False
        self.destroying = Job("destroy", self._destroy, DESTROY_SECONDS)
        self.jobs: list[Work] = [
            Marking(spool.folder),
            self.destroying,
            Job("shred", self._shred, DESTROY_SECONDS),
            Job(
                "retain",
                Retention(self._node, Versions(settings.routing_versions).in_force).look,
                RETAIN_SECONDS,
            ),
            Job("sweep", self._sweep, SWEEP_SECONDS),
            Job("count", self._count, COUNT_SECONDS),
        ]
        if self.key_wrapper:
            self._encrypted_store = EncryptedStore(self.objects, self.key_wrapper)
            kept = timedelta(days=settings.mail.keep_undeliverable_days)
            self._sealer = Sealer(self._node, spool, self._encrypted_store, kept)
            self._sealing = Job(
                "seal", self._seal, SEAL_SECONDS, (posted, self.destroying.wake), concurrency=2
            )
            self._rotation = Rotation(self.key_wrapper, timedelta(minutes=settings.key_rotation_minutes))
            self.jobs += [self._sealing, Job("rotate keys", self._rotate, ROTATE_SECONDS)]

    @property
    def troubles(self) -> list[str]:
        troubles = [] if self.key_wrapper else [NO_KEY]
        if self._apart:
            troubles.append("the clocks of this host and of PostgreSQL differ: nothing is destroyed")
        return [*troubles, *self._away, *self._unrotated, *(self._objections if self.key_wrapper else [])]

    def wake(self) -> None:
        """There are new calls in the database."""
        if self.key_wrapper:
            self._sealing.wake()

    async def fetch(self, con: asyncpg.Connection, audio_id: str) -> bytes:
        """The WAV of a sound that is kept. Raises what `Safe.fetch` does; MasterKeyError without a key."""
        if not self.key_wrapper:
            raise MasterKeyError(NO_KEY)
        return await self._encrypted_store.fetch_for_mail(con, audio_id)

    async def _begin(self, con: asyncpg.Connection) -> None:
        """What a worker of this node that was killed had in hand is due again."""
        if not self._begun:
            self._begun = True
            await let_all_go(con, self._node)

    async def _seal(self, con: asyncpg.Connection) -> bool:
        await self._begin(con)
        if self._objections:
            await self._look_at_objects()
        return not self._objections and await self._sealer.seal_next(con) is not None

    async def _look_at_objects(self) -> None:
        """Once for all hands: a look writes, reads and deletes."""
        async with self._looking:
            if self._objections:
                before, self._objections = self._objections, await self.objects.objections()
                if self._objections and self._objections != before:
                    log.critical("nothing is sealed", why=self._objections)

    async def _destroy(self, con: asyncpg.Connection) -> bool:
        return await self._knows_the_time(con) and await self._destroyer.destroy_next(con)

    async def _shred(self, con: asyncpg.Connection) -> bool:
        return await self._knows_the_time(con) and await self._destroyer.shred_next(con)

    async def _knows_the_time(self, con: asyncpg.Connection) -> bool:
        await self._begin(con)
        apart = abs(datetime.now(UTC) - await con.fetchval("SELECT clock_timestamp()")) > CLOCKS_APART
        were_apart, self._apart = self._apart, apart
        if apart and not were_apart:
            log.critical("nothing is destroyed: the clocks of this host and of PostgreSQL differ")
        return not apart

    async def _rotate(self, con: asyncpg.Connection) -> bool:
        """Where a group key does not open, nothing is overwritten, so that a person can still see to it."""
        try:
            more = await self._rotation.step(con)
        except (MasterKeyError, SealBroken) as wrong:
            if not self._unrotated:
                log.critical("keys_not_rotated", error=str(wrong))
            self._unrotated = [f"keys are not rotated, destroyed ones stay in the database's files: {wrong}"]
            return False
        self._unrotated = []
        return more

    async def _sweep(self, con: asyncpg.Connection) -> bool:
        try:
            await self._sweeper.sweep(con, self._open_calls())
        except SpoolAway as away:
            self._away = [str(away)]
        else:
            self._away = []
        return False

    async def _count(self, con: asyncpg.Connection) -> bool:
        counted = {row["state"]: row["count"] for row in await con.fetch(COUNT)}
        for state in ("recorded", "stored", "shredded", "absent"):
            self._metrics.sounds.labels(state).set(counted.get(state, 0))
        self._metrics.destructions_overdue.set(await con.fetchval(OVERDUE))
        self._metrics.key_residue_seconds.set(await con.fetchval(RESIDUE))
        return False


def objects_of(settings: Settings) -> Objects:
    """The object store that the settings name; not looked at yet."""
    told = settings.objects
    if not told.bucket:
        return Directory(settings.objects_dir)
    secret = told.secret_key.get_secret_value()
    return S3(Bucket(told.bucket, told.endpoint, told.region, told.access_key, secret, told.all_versions))


def key_wrapper_of(settings: Settings) -> KeyWrapper | None:
    """None without a master key. Raises SettingsError when it is none."""
    text = settings.master_key.get_secret_value()
    try:
        return KeyWrapper(text) if text else None
    except MasterKeyError as wrong:
        raise SettingsError([f"master_key: {wrong}"]) from None
