"""The engine's sign of life for the dialplan, as long as Asterisk's events arrive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from engine.ari.errors import AriError
from engine.ari.exchange import Exchange
from engine.ari.link import marker, silence
from engine.ari.waiting import RETURN_SECONDS
from engine.call_journal import CallServices
from journal.entries import Heartbeat

MARKER_SECONDS = 5.0
PROMISE_SECONDS = 1.0

log = structlog.get_logger()


class SignOfLife:
    """`has_calls`: whether a call is live."""

    def __init__(self, exchange: Exchange, services: CallServices, has_calls: Callable[[], bool]) -> None:
        self._exchange = exchange
        self._services = services
        self._has_calls = has_calls

    async def marker(self) -> datetime:
        """Wait until all events of before have arrived; return the instant. Raises TimeoutError, AriError."""
        exchange = self._exchange
        return await marker(exchange.client, exchange.dispatcher, exchange.app, MARKER_SECONDS)

    async def give(self) -> None:
        """Set ENGINE_ALIVE: the dialplan takes calls to their fallback when it is older than 3 s.

        While there are calls, the instant is journalled: a call that ends with Asterisk and engine together
        is billed until then. Raises TimeoutError, AriError.
        """
        at = await self.marker()
        if self._has_calls():
            self._services.append(Heartbeat(at))
        await self._set(at.timestamp())
        await self._exchange.waiting.renew(self._exchange.client)

    @asynccontextmanager
    async def last(self, *, returns: bool) -> AsyncIterator[None]:
        """Close the event link inside this block. `returns`: set ENGINE_ALIVE ahead.

        The dialplan then lets callers wait for the next engine.
        """
        if returns:
            try:
                async with asyncio.timeout(PROMISE_SECONDS):
                    await self._set(self._exchange.last_known.timestamp() + RETURN_SECONDS)
            except (AriError, TimeoutError) as error:
                log.warning("return_not_announced", error=str(error) or "no reply")
        async with silence(self._exchange.client, self._exchange.app):
            yield

    async def _set(self, seconds: float) -> None:
        await self._exchange.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(seconds)))
