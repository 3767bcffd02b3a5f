"""Sessions that are kept for the next mail: a new one costs 25 ms of TLS, an open one 1 ms.

A server may have closed one meanwhile. One that was used a moment ago is taken as it is; should it be dead, a
mail that has not been sent over it yet is sent over a new one.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailer.smtp import Server, Session, Speaker
from mailer.tls import Policy

FRESH_SECONDS = 1.0  # so long a session need not be asked whether it lives
IDLE_SECONDS = 10  # servers hang up on who says nothing for longer; it is rude besides
IDLE_MOST = 8  # to one server

Key = tuple[Server, Policy]


class Sessions:
    """Lends sessions. One that is given back in order is lent again."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._idle: dict[Key, deque[tuple[float, Session]]] = defaultdict(deque)

    @asynccontextmanager
    async def to(self, server: Server, policy: Policy, *, fresh: bool = False) -> AsyncIterator[Session]:
        """A session that is ready for a mail, a new one if `fresh`. Raises NoSession."""
        key = (server, policy)
        waiting = None if fresh else await self._waiting(key)
        session = waiting or await Session.open(server, policy, self._speaker)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        await self._keep(key, session)

    async def tidy(self) -> None:
        """End those that nobody has wanted for a while."""
        await self._end(time.monotonic() - IDLE_SECONDS)

    async def close(self) -> None:
        """End all that are not lent."""
        await self._end(time.monotonic() + 1)

    async def _waiting(self, key: Key) -> Session | None:
        while self._idle[key]:
            since, session = self._idle[key].pop()
            idle = time.monotonic() - since
            if idle < IDLE_SECONDS and await session.ready(ask=idle > FRESH_SECONDS):
                return session
            session.close()
        return None

    async def _keep(self, key: Key, session: Session) -> None:
        if len(self._idle[key]) < IDLE_MOST:
            self._idle[key].append((time.monotonic(), session))
        else:
            await session.quit()

    async def _end(self, before: float) -> None:
        ended = []
        for key, waiting in list(self._idle.items()):
            while waiting and waiting[0][0] < before:
                ended.append(waiting.popleft()[1])
            if not waiting:
                del self._idle[key]
        await asyncio.gather(*(session.quit() for session in ended))
