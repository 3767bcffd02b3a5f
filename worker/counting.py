"""The worker's job that counts audio: by state, overdue, and keys that can still be read in the files."""

import asyncpg

from storage.audio_states import AudioState
from worker.job import Job
from worker.metrics import WorkerMetrics

COUNT_SECONDS = 15.0

COUNT = "SELECT state, count(*) FROM audio WHERE state <> 'destroyed' GROUP BY state"
OVERDUE = """
SELECT count(*) FROM audio WHERE state IN ('stored', 'shredded', 'absent')
    AND hold IS NULL AND destroy_after < now() - interval '1 minute'
"""
RESIDUE = """
SELECT coalesce(extract(epoch FROM now() - min(since)), 0)::float8
FROM keys.residue WHERE group_id IS NOT NULL
"""


class Counting:
    """Sets the gauges of audio."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self.job = Job("count", self._count, COUNT_SECONDS)
        self._metrics = metrics

    async def _count(self, con: asyncpg.Connection) -> bool:
        counts = {row["state"]: row["count"] for row in await con.fetch(COUNT)}
        for state in set(AudioState) - {AudioState.DESTROYED}:
            self._metrics.sounds.labels(state).set(counts.get(state, 0))
        self._metrics.destructions_overdue.set(await con.fetchval(OVERDUE))
        self._metrics.key_residue_seconds.set(await con.fetchval(RESIDUE))
        return False
