"""Whether each carrier answers, as Asterisk sees it: a metric, a warning on /ready, a line in the log."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from engine.ari.errors import AriError

LOOK_SECONDS = 5.0
OFFLINE = "offline"  # of an endpoint whose only contact does not answer OPTIONS
log = structlog.get_logger()


class EndpointQueries(Protocol):
    """Implemented by engine.ari.client.Client.endpoints."""

    async def get(self, tech: str, resource: str) -> str: ...


class TrunkStates:
    """`trunks`: returns the names of the carriers in force, in their order."""

    def __init__(self, trunks: Callable[[], Sequence[str]], endpoints: EndpointQueries) -> None:
        self._trunks = trunks
        self._endpoints = endpoints
        self.down: set[str] = set()
        self._offline: set[str] = set()  # in the last look

    @property
    def up(self) -> dict[str, bool]:
        """Whether each carrier answers; one that nobody asks does."""
        return {name: name not in self.down for name in self._trunks()}

    @property
    def warnings(self) -> list[str]:
        return [
            f"trunk {name} does not answer: calls take the next one, if any"
            for name, is_up in sorted(self.up.items())
            if not is_up
        ]

    async def run(self) -> None:
        """Look until cancelled. While Asterisk is away, the last states stay."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once at each."""
        names = self._trunks()
        for states in (self.down, self._offline):
            states.intersection_update(names)  # one that was removed and comes back begins anew
        for name in names:
            await self._look(name)

    async def _look(self, name: str) -> None:
        """One that is offline in two looks is down: until its first OPTIONS is answered, each is offline."""
        try:
            is_up = await self._endpoints.get("PJSIP", f"{name}0") != OFFLINE
        except (AriError, TimeoutError):
            return
        if is_up:
            self._offline.discard(name)
            if name in self.down:
                log.warning("trunk_up", trunk=name)
                self.down.discard(name)
        elif name not in self._offline:
            self._offline.add(name)
        elif name not in self.down:
            log.error("trunk_down", trunk=name)
            self.down.add(name)
