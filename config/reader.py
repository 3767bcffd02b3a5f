"""Reading routing folders by processes of their own.

The next one is ready: a change does not wait for its imports.
"""

from contextlib import suppress
from pathlib import Path

from config.child import Child
from config.load import load_in_process
from config.policy import Policy
from dialplan.routing import Routing


class FolderReader:
    """`cache`: the file of what is known already."""

    def __init__(self, policy: Policy, cache: Path) -> None:
        self.policy = policy
        self._cache = cache
        self._child: Child | None = None

    async def read(self, folder: Path) -> Routing:
        """Return the routing in this folder. Raises ConfigErrors."""
        child, self._child = self._child, None
        return await load_in_process(folder, self.policy, self._cache, child=child)

    async def get_ready(self) -> None:
        """Start the process of the next reading, if none is ready."""
        if self._child is None or not self._child.is_running:
            await self.close()
            with suppress(OSError):  # no memory, no process: the reading itself tries again, and reports it
                self._child = await Child.started("config.load")

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop()
