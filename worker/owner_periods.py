"""The worker's jobs that act on periods which owners choose for their calls."""

from config.settings import Settings
from worker.anonymising import anonymising_job
from worker.job import Job
from worker.metrics import WorkerMetrics
from worker.record_retention import record_retention_job


def period_jobs(settings: Settings, metrics: WorkerMetrics) -> list[Job]:
    """Anonymise calls, and destroy call records."""
    return [anonymising_job(settings, metrics), record_retention_job(settings, metrics)]
