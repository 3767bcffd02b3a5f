"""The worker's job that destroys call records whose retention is over, some hundred at a time."""

from datetime import timedelta

import asyncpg
import structlog

from config.settings import Settings
from config.versions import Versions
from storage import record_retention, retentions
from worker.job import Job
from worker.metrics import WorkerMetrics
from worker.owners_in_force import OwnersInForce
from worker.trusted_time import TrustedTime

LOOK_SECONDS = 60.0
log = structlog.get_logger()


def record_retention_job(settings: Settings, metrics: WorkerMetrics) -> Job:
    owners = OwnersInForce(Versions(settings.routing_versions).in_force)
    days = settings.keep_records_days
    usual = None if days is None else timedelta(days=days)
    return RecordRetention(settings.node, owners, usual, metrics, TrustedTime(settings.trusted_clock)).job


class RecordRetention:
    """Looks once a minute, and works until nothing is due. Before it knows the owners it destroys nothing:
    one of them may want their records to be kept for longer than usual.
    """

    def __init__(
        self,
        node: str,
        owners: OwnersInForce,
        usual: timedelta | None,
        metrics: WorkerMetrics,
        trusted: TrustedTime,
    ) -> None:
        self.job = Job("destroy records", self.look, LOOK_SECONDS)
        self._node = node
        self._owners = owners
        self._usual = usual
        self._metrics = metrics
        self._trusted = trusted
        self._knows_owners = False

    async def look(self, con: asyncpg.Connection) -> bool:
        """Destroy a batch; whether there may be more. Raises asyncpg's errors."""
        owners = await self._owners.look(con)
        if owners is not None:
            await retentions.store(con, self._node, retentions.of(owners))
            self._knows_owners = True
        if not self._knows_owners or await self._trusted.objection(con):
            return False
        destroyed = await record_retention.destroy_next(con, self._usual)
        for owner, records in destroyed.items():
            log.info("records_destroyed", owner=owner, records=records)
        self._metrics.records_to_destroy.set(await record_retention.due(con, self._usual))
        return bool(destroyed)
