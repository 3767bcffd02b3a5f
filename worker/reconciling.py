"""Once an hour: do CEL, journal and call records of the last two hours agree?"""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from config.settings import Settings
from storage.reconciliation import Reconciliation, Sources
from worker.job import Job
from worker.metrics import WorkerMetrics
from worker.reconcile_child import NotReconciled, Period, reconcile_apart

AGAIN_SECONDS = 3600.0
LOOK_SECONDS = 60.0
FIRST_SECONDS = 60.0  # after the start: a worker that is started has more urgent work
PERIOD = timedelta(hours=2)
LEEWAY = timedelta(minutes=5)  # for calls that are on their way into the database
log = structlog.get_logger()


class Reconciling:
    """`look` does one piece of work (worker.job.Job). `backlog`: bytes of the journal not yet stored."""

    def __init__(
        self,
        sources: Sources,
        database: str,
        metrics: WorkerMetrics,
        backlog: Callable[[], int],
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        self._sources = sources
        self._database = database
        self._metrics = metrics
        self._backlog = backlog
        self._due = time.monotonic() + first_seconds
        self._done = -math.inf
        self._reported: set[str] = set()
        metrics.reconciled_age_seconds.set_function(lambda: time.monotonic() - self._done)

    async def look(self, _con: asyncpg.Connection) -> bool:
        """Compare, count the differences and log each new one. While the journal waits, so does this."""
        if time.monotonic() < self._due or self._backlog():
            return False
        until = datetime.now(UTC) - LEEWAY
        try:
            result = await reconcile_apart(Period(self._database, self._sources, until - PERIOD, until))
        except NotReconciled as error:
            log.warning("calls_not_reconciled", error=str(error))
            return False
        self._done = time.monotonic()
        self._due = self._done + AGAIN_SECONDS
        self._report(result)
        return False

    def _report(self, result: Reconciliation) -> None:
        self._metrics.reconcile_differences.set(len(result.differences))
        for difference in result.differences:
            if difference.call_id not in self._reported:
                log.error("call_not_reconciled", call=difference.call_id, kind=difference.kind,
                          what=difference.what, why=difference.why)  # fmt: skip
        self._reported = {difference.call_id for difference in result.differences}


def reconciling_job(settings: Settings, metrics: WorkerMetrics, backlog: Callable[[], int]) -> Job:
    sources = Sources(settings.node, settings.asterisk.cel, settings.journal_dir)
    database = settings.database.get_secret_value()
    return Job("reconcile", Reconciling(sources, database, metrics, backlog).look, LOOK_SECONDS)
