"""The engine's sign of life for the dialplan, as long as Asterisk's events arrive."""

from collections.abc import Callable
from datetime import datetime

from engine.ari.exchange import Exchange
from engine.ari.link import marker
from engine.call import CallServices
from journal.entries import Heartbeat

MARKER_SECONDS = 5.0


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
        """Set ENGINE_ALIVE: the dialplan takes calls to their fallback when it is older than 5 s.

        While there are calls, the instant is journalled: a call that ends with Asterisk and engine together
        is billed until then. Raises TimeoutError, AriError.
        """
        at = await self.marker()
        if self._has_calls():
            self._services.append(Heartbeat(at))
        await self._exchange.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(at.timestamp())))
