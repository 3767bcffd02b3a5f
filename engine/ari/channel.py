"""A channel of Asterisk as an awaitable: futures that its events resolve.

This is the one place where a hang-up becomes an exception.
"""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from engine.ari.errors import Conflict, Gone
from engine.ari.events import ChannelDestroyed, Event, StasisEnd
from engine.causes import Cause
from engine.line import Ended, HungUp

# ChannelDestroyed, which has the cause, follows StasisEnd within milliseconds; the end stands without it too.
# Not too near: a loop that has stalled runs its timers before it has read what came meanwhile.
CAUSE_SECONDS = 3.0


class Channel:
    """One leg in our application, from the moment we know its id to its end."""

    def __init__(self, channel_id: str) -> None:
        self.id = channel_id
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._left: StasisEnd | None = None

    @property
    def came(self) -> datetime | None:
        """When it entered our application; None before that."""
        return None

    def see(self, event: Event) -> None:
        """Take in one event of this channel; synchronous, from the dispatcher."""
        match event:
            case StasisEnd():
                self._left = event
                self.left(event)
            case ChannelDestroyed():
                at = self._left.at if self._left else event.at
                self.end(at, event.cause)

    def left(self, event: StasisEnd) -> None:
        """The channel has left us; its cause is on the way."""
        asyncio.get_running_loop().call_later(CAUSE_SECONDS, self.end, event.at, Cause.INTERWORKING)

    def end(self, at: datetime, cause: int) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(at, cause))

    def lose(self, at: datetime) -> None:
        """Asterisk does not know this channel any more and never said how it ended."""
        if not self.ended.done():
            self.ended.set_result(Ended(at, Cause.INTERWORKING, lost=True))

    def alive(self) -> None:
        """Raise HungUp if this leg has ended."""
        if self.ended.done():
            raise HungUp(self.id, self.ended.result())

    async def until[T](self, future: asyncio.Future[T], seconds: float | None = None) -> T:
        """Wait for `future`; raises HungUp when this leg ends first, TimeoutError after `seconds`."""
        either: set[asyncio.Future[Any]] = {future, self.ended}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        self.alive()
        raise TimeoutError

    async def perhaps_hung_up(self) -> None:
        """A hang-up fails a playback a moment before the channel says that it has left (0-1 ms, measured)."""
        await asyncio.wait({self.ended}, timeout=0.1)
        self.alive()

    async def told[T](self, request: Awaitable[T]) -> T:
        """Await a command on this channel; that it is gone, or not ours any more, is a hang-up."""
        try:
            return await request
        except (Gone, Conflict):
            raise HungUp(self.id, await self.end_of()) from None

    async def end_of(self, seconds: float = 2.0) -> Ended:
        """The end of a channel that must have ended: at most `seconds` for Asterisk to say so."""
        await asyncio.wait({self.ended}, timeout=seconds)
        self.lose(datetime.now(UTC))
        return self.ended.result()
