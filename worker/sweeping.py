"""The worker's job that sweeps the spool, and reports when the spool is away."""

from collections.abc import Callable

import asyncpg

from storage.spool import Spool, SpoolAway
from storage.sweeping import Sweeper
from worker.job import Job

SWEEP_SECONDS = 60.0


class Sweeping:
    """`open_calls`: those of the journal that have not ended, None when not known.

    `troubles`: that the spool is away, with the setting that names it.
    """

    def __init__(self, node: str, spool: Spool, open_calls: Callable[[], frozenset[str] | None]) -> None:
        self.job = Job("sweep", self._sweep, SWEEP_SECONDS)
        self.troubles: list[str] = []
        self._sweeper = Sweeper(node, spool)
        self._open_calls = open_calls

    async def _sweep(self, con: asyncpg.Connection) -> bool:
        try:
            await self._sweeper.sweep(con, self._open_calls())
        except SpoolAway as away:
            self.troubles = [str(away)]
        else:
            self.troubles = []
        return False
