"""Leases on audio that nobody works under, and which would keep it waiting for two minutes.

An earlier worker of this node was killed; or the database was away in the middle of a piece of work, so that
a lease was stored whose answer was lost, or could not be given up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.away import AWAY
from storage.lease import release_all


class Leases:
    """Of this worker's jobs. Each piece of work that claims audio is done inside `piece()`."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._lost = True  # there may be leases that nobody works under
        self._at_work = 0
        self._releasing = asyncio.Lock()

    @asynccontextmanager
    async def piece(self, con: asyncpg.Connection) -> AsyncIterator[None]:
        """First release lost leases, once no other piece is at work. Raises asyncpg's errors."""
        async with self._releasing:
            if self._lost and not self._at_work:
                await release_all(con, self._node)
                self._lost = False
            self._at_work += 1
        try:
            yield
        except AWAY:
            self._lost = True
            raise
        finally:
            self._at_work -= 1
