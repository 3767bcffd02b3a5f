"""The worker's jobs for owners: their changes and switches, old calls anonymised, old records destroyed."""

from config.settings import Settings
from worker.anonymising import anonymising_job
from worker.job import Job
from worker.metrics import WorkerMetrics
from worker.owner_changes import owner_changes_job
from worker.owner_switches import owner_switches_job
from worker.record_retention import record_retention_job


def owners_jobs(settings: Settings, metrics: WorkerMetrics) -> list[Job]:
    return [
        owner_changes_job(settings),
        owner_switches_job(settings),
        anonymising_job(settings, metrics),
        record_retention_job(settings, metrics),
    ]
