"""A channel of Asterisk as an awaitable: futures that its events resolve.

This is the only place where a hang-up becomes an exception.
"""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from engine.ari.errors import Conflict, Gone
from engine.ari.events import ChannelDestroyed, Event, StasisEnd
from engine.causes import Cause
from engine.line import Ended, HungUp

# ChannelDestroyed, which has the cause, follows StasisEnd within milliseconds; without it the channel has
# ended too. Not less: an event loop that was blocked runs its timers before it reads the events of that time.
CAUSE_SECONDS = 3.0


class Channel:
    """A channel in our application, from the moment its id is known to its end."""

    def __init__(self, channel_id: str) -> None:
        self.id = channel_id
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._stasis_end: StasisEnd | None = None

    def on_event(self, event: Event) -> None:
        """Apply an event of this channel; called by the dispatcher."""
        match event:
            case StasisEnd():
                self._stasis_end = event
                self.on_stasis_end(event)
            case ChannelDestroyed():
                at = self._stasis_end.at if self._stasis_end else event.at
                self.end(at, event.cause)

    def on_stasis_end(self, event: StasisEnd) -> None:
        """The channel has left our application; its cause follows."""
        asyncio.get_running_loop().call_later(CAUSE_SECONDS, self.end, event.at, Cause.INTERWORKING)

    def end(self, at: datetime, cause: int) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(at, cause))

    def lose(self, at: datetime) -> None:
        """End a channel that Asterisk no longer has and whose end it never reported."""
        if not self.ended.done():
            self.ended.set_result(Ended(at, Cause.INTERWORKING, lost=True))

    def alive(self) -> None:
        """Raise HungUp if this channel has ended."""
        if self.ended.done():
            raise HungUp(self.id, self.ended.result())

    async def until[T](self, future: asyncio.Future[T], seconds: float | None = None) -> T:
        """Wait for `future`. Raises HungUp if this channel ends first, TimeoutError after `seconds`."""
        either: set[asyncio.Future[Any]] = {future, self.ended}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        self.alive()
        raise TimeoutError

    async def perhaps_hung_up(self) -> None:
        """Raise HungUp if a hang-up made a playback fail: the end of the channel follows within 1 ms."""
        await asyncio.wait({self.ended}, timeout=0.1)
        self.alive()

    async def command[T](self, request: Awaitable[T]) -> T:
        """Await a command on this channel. Raises HungUp if Asterisk no longer has the channel here."""
        try:
            return await request
        except (Gone, Conflict):
            raise HungUp(self.id, await self.end_of()) from None

    async def end_of(self, seconds: float = 2.0) -> Ended:
        """Return the end of a channel that must have ended; wait at most `seconds` for its event.

        Without it the channel does not end here: now is later than the true end, which is found out later.
        """
        await asyncio.wait({self.ended}, timeout=seconds)
        if self.ended.done():
            return self.ended.result()
        return Ended(datetime.now(UTC), Cause.INTERWORKING, lost=True)
