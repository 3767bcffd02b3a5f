"""Once an hour: do CEL, journal and call records of the last two hours agree?"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from process.memory import give_back
from storage.reconciliation import Sources, reconcile
from worker.metrics import WorkerMetrics

AGAIN_SECONDS = 3600.0
LOOK_SECONDS = 60.0
PERIOD = timedelta(hours=2)
LEEWAY = timedelta(minutes=5)  # for calls that are on their way into the database
log = structlog.get_logger()


class Reconciling:
    """`look` does one piece of work (worker.job.Job). `backlog`: bytes of the journal not yet stored."""

    def __init__(self, sources: Sources, metrics: WorkerMetrics, backlog: Callable[[], int]) -> None:
        self._sources = sources
        self._metrics = metrics
        self._backlog = backlog
        self._reconciled: float | None = None
        self._reported: set[str] = set()

    async def look(self, con: asyncpg.Connection) -> bool:
        """Compare, count the differences and log each new one. While the journal waits, so does this."""
        if self._reconciled is not None and time.monotonic() - self._reconciled < AGAIN_SECONDS:
            return False
        if self._backlog():
            return False
        until = datetime.now(UTC) - LEEWAY
        try:
            result = await reconcile(con, self._sources, until - PERIOD, until)
        except OSError as error:  # of the files: what the database raises is the job's to handle
            log.warning("calls_not_reconciled", error=str(error))
            return False
        self._reconciled = time.monotonic()
        await asyncio.to_thread(give_back)
        self._metrics.reconcile_differences.set(len(result.differences))
        for difference in result.differences:
            if difference.call_id not in self._reported:
                log.error("call_not_reconciled", call=difference.call_id, kind=difference.kind,
                          what=difference.what, why=difference.why)  # fmt: skip
        self._reported = {difference.call_id for difference in result.differences}
        return False
