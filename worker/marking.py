"""The worker's work that marks recordings in progress, with or without a database: later it is unknowable."""

import asyncio
from contextlib import suppress
from pathlib import Path

import asyncpg

from storage.marks import Marker

# Asterisk writes a recording every 1.024 s.
LOOK_SECONDS = 0.5


class Marking:
    """It needs no database, so it is not a `Job`."""

    name = "mark"

    def __init__(self, folder: Path) -> None:
        self._marker = Marker(folder)

    def wake(self) -> None:
        """It never sleeps for long."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Look until cancelled. If the spool is away or full, only the marks are lost."""
        while True:
            with suppress(OSError):
                await asyncio.to_thread(self._marker.look)
            await asyncio.sleep(LOOK_SECONDS)
