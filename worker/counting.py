"""The worker's job that counts audio by state, overdue, and still readable; and the age of the backup."""

import asyncpg

from storage import audio_states, destruction, rotation
from storage.backup import snapshot
from worker.job import Job
from worker.metrics import WorkerMetrics

COUNT_SECONDS = 15.0


class Counting:
    """Sets the gauges of audio."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self.job = Job("count", self._count, COUNT_SECONDS)
        self._metrics = metrics

    async def _count(self, con: asyncpg.Connection) -> bool:
        for state, count in (await audio_states.counts(con)).items():
            self._metrics.sounds.labels(state).set(count)
        self._metrics.destructions_overdue.set(await destruction.overdue(con))
        self._metrics.key_residue_seconds.set(await rotation.residue_seconds(con))
        self._metrics.backup_age_seconds.set(await snapshot.age_seconds(con))
        return False
