"""The worker's job that anonymises the calls of owners who want that, some hundred at a time."""

from collections.abc import Mapping
from datetime import timedelta

import asyncpg
import structlog

from config.settings import Settings
from config.versions import Versions
from storage import anonymising
from worker.job import Job
from worker.metrics import WorkerMetrics
from worker.owners_in_force import OwnersInForce
from worker.trusted_time import TrustedTime

LOOK_SECONDS = 60.0
log = structlog.get_logger()


def anonymising_job(settings: Settings, metrics: WorkerMetrics) -> Job:
    owners = OwnersInForce(Versions(settings.routing_versions).in_force)
    return Anonymising(owners, metrics, TrustedTime(settings.trusted_clock)).job


class Anonymising:
    """Looks once a minute, and works until nothing is due."""

    def __init__(self, owners: OwnersInForce, metrics: WorkerMetrics, trusted: TrustedTime) -> None:
        self.job = Job("anonymise", self._look, LOOK_SECONDS)
        self._owners = owners
        self._metrics = metrics
        self._trusted = trusted
        self._periods: Mapping[str, timedelta] = {}

    async def _look(self, con: asyncpg.Connection) -> bool:
        """Anonymise a batch of each owner; whether there may be more. Raises asyncpg's errors."""
        owners = await self._owners.look(con)
        if owners is not None:
            periods = {name: owner.anonymise_after for name, owner in owners.items()}
            self._periods = {name: period for name, period in periods.items() if period is not None}
        if await self._trusted.objection(con):
            return False
        more = False
        for owner, after in self._periods.items():
            if calls := await anonymising.anonymise_next(con, owner, after):
                more = True
                log.info("calls_anonymised", owner=owner, calls=calls)
        self._metrics.calls_to_anonymise.set(await anonymising.due(con, self._periods))
        return more
