"""A pool of SMTP sessions: a new session costs 25 ms of TLS, an open one 1 ms.

The server may have closed an idle session. One that was used a moment ago is not checked; if it is dead, the
mail is sent over a new one, unless it was sent already.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailer.smtp import Server, Session, SmtpIdentity
from mailer.tls import Policy

FRESH_SECONDS = 1.0  # a session idle for less is not checked with RSET
IDLE_SECONDS = 10  # many servers close sessions that are idle for longer
IDLE_MOST = 8  # to one server

Key = tuple[Server, Policy]


class Sessions:
    """Lends sessions; a session that is returned without an error is lent again."""

    def __init__(self, identity: SmtpIdentity) -> None:
        self._identity = identity
        self._idle: dict[Key, deque[tuple[float, Session]]] = defaultdict(deque)

    @asynccontextmanager
    async def to(self, server: Server, policy: Policy, *, fresh: bool = False) -> AsyncIterator[Session]:
        """Lend a session that is ready for a mail, a new one if `fresh`. Raises NoSession."""
        key = (server, policy)
        idle = None if fresh else await self._take_idle(key)
        session = idle or await Session.open(server, policy, self._identity)
        try:
            yield session
        except BaseException:
            session.close()
            raise
        await self._put_back(key, session)

    async def tidy(self) -> None:
        """Close sessions that have been idle for IDLE_SECONDS."""
        await self._end(time.monotonic() - IDLE_SECONDS)

    async def close(self) -> None:
        """Close all idle sessions."""
        await self._end(time.monotonic() + 1)

    async def _take_idle(self, key: Key) -> Session | None:
        while self._idle[key]:
            since, session = self._idle[key].pop()
            idle = time.monotonic() - since
            if idle < IDLE_SECONDS and await session.ready(ask=idle > FRESH_SECONDS):
                return session
            session.close()
        return None

    async def _put_back(self, key: Key, session: Session) -> None:
        if len(self._idle[key]) < IDLE_MOST:
            self._idle[key].append((time.monotonic(), session))
        else:
            await session.quit()

    async def _end(self, before: float) -> None:
        overdue = []
        for key, idle in list(self._idle.items()):
            while idle and idle[0][0] < before:
                overdue.append(idle.popleft()[1])
            if not idle:
                del self._idle[key]
        await asyncio.gather(*(session.quit() for session in overdue))
