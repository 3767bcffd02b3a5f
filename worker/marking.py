"""The worker notes how far each recording has come, database or not: later nobody can know it any more."""

import asyncio
from contextlib import suppress
from pathlib import Path

import asyncpg

from storage.marks import Marker

# Asterisk writes a recording every 1.024 s.
LOOK_SECONDS = 0.5


class Marking:
    """A job without a database, so it is not a `Job`."""

    name = "mark"

    def __init__(self, folder: Path) -> None:
        self._marker = Marker(folder)

    def wake(self) -> None:
        """It never sleeps for long."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Look until cancelled. Where the spool is away or full there are no marks, and that is all."""
        while True:
            with suppress(OSError):
                await asyncio.to_thread(self._marker.look)
            await asyncio.sleep(LOOK_SECONDS)
