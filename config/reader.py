"""Reading routing folders by processes of their own.

The next one is ready: a change does not wait for its imports.
"""

import pickle
from contextlib import suppress
from pathlib import Path

from config.child import Child, ChildError, answer_of
from config.errors import NOWHERE, ConfigErrors, FileError
from config.policy import Policy
from dialplan.routing import Routing


class FolderReader:
    """`cache`: the file of what is known already."""

    def __init__(self, policy: Policy, cache: Path) -> None:
        self.policy = policy
        self._cache = cache
        self._child: Child | None = None
        self._ready_for = ""  # the rules of which that process has read the cache

    async def read(self, folder: Path) -> Routing:
        """Return the routing in this folder. Raises ConfigErrors."""
        child, self._child = self._child, None
        if self._ready_for != self.policy.rules and child is not None:
            await child.stop()
        return await load_in_process(folder, self.policy, self._cache, child=child)

    async def get_ready(self) -> None:
        """Start the process of the next reading, which reads the cache already, if none is ready."""
        if self._child is None or not self._child.is_running:
            await self.close()
            with suppress(OSError):  # no memory, no process: the reading itself tries again, and reports it
                self._ready_for = self.policy.rules
                self._child = await Child.started("config.load", *_arguments(self.policy, self._cache))

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop()


async def load_in_process(
    folder: Path, policy: Policy, cache: Path, seconds: float = 120, child: Child | None = None
) -> Routing:
    """`load` in a process of its own, so that no call waits for it; it is killed if it takes too long.

    `cache`: the file of what is known already. `child`: a process of this module that was started before.
    Raises ConfigErrors, also if the process did not end.
    """
    try:
        folder_and_policy = pickle.dumps((folder, policy))
        routing = await answer_of(
            "config.load",
            *_arguments(policy, cache),
            stdin=folder_and_policy,
            seconds=seconds,
            child=child,
        )
    except ChildError as error:
        raise ConfigErrors([FileError(folder, NOWHERE, "", f"the process reading it {error}")]) from None
    if isinstance(routing, Routing):
        return routing
    raise ConfigErrors(routing)


def _arguments(policy: Policy, cache: Path) -> tuple[str, str]:
    return str(cache), policy.rules
