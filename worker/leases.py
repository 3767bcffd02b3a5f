"""Leases that an earlier worker of this node still has: it was killed, and what it claimed is due again."""

import asyncpg

from storage.lease import release_all


class EarlierLeases:
    """`release` does so once, before the first claim of this worker."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._released = False

    async def release(self, con: asyncpg.Connection) -> None:
        """Release them, the first time it is called. Raises asyncpg's errors."""
        if not self._released:
            self._released = True
            await release_all(con, self._node)
