"""Recording a conversation: two snoop channels on the caller's leg, each with a file of its own.

Both files have the same length to the sample and are aligned within 20 ms; the bridge stays simple. Muted,
they go on as digital silence (measured, Asterisk 22.10.1). They end by themselves at the caller's hang-up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.ari.channel import Channel
from engine.ari.errors import AriError, Conflict, Unavailable
from engine.ari.events import Event, Kind, RecordingFailed, RecordingFinished, StasisStart
from engine.ari.exchange import let_go
from engine.line import Key, TapeEnded

if TYPE_CHECKING:
    from engine.ari.line import AriLine

# `in` is what the caller says, `out` what he hears.
WAYS = ("in", "out")
ENTER_SECONDS = 1.0
# RecordingFinished follows the end of the channel or the command within milliseconds.
FINISH_SECONDS = 1.0


class Spy(Channel):
    """One way of the caller's speech: a snoop channel, and the file it is recorded to."""

    def __init__(self, line: "AriLine", audio_id: str, number: int) -> None:
        super().__init__(f"{line.call_id}-s{number + 1}")
        loop = asyncio.get_running_loop()
        self.name = f"{audio_id}-{WAYS[number]}"
        self.over: asyncio.Future[datetime] = loop.create_future()
        self._entered: asyncio.Future[datetime] = loop.create_future()
        self._line = line
        self._way = WAYS[number]
        self._client = line.exchange.client

    @property
    def came(self) -> datetime | None:
        return self._entered.result() if self._entered.done() else None

    def see(self, event: Event) -> None:
        match event:
            case StasisStart() if not self._entered.done():
                self._entered.set_result(event.at)
            case RecordingFinished() | RecordingFailed() if not self.over.done():
                self.over.set_result(event.at)
        super().see(event)

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        listen = self._line.exchange.dispatcher.listen
        self._line.spies.add(self)
        with listen((Kind.CHANNEL, self.id), self.see), listen((Kind.RECORDING, self.name), self.see):
            yield
        self._line.spies.discard(self)

    async def place(self) -> None:
        """Make the snoop channel, unless it is there. Raises HungUp, AriError, TimeoutError."""
        channels = self._client.channels
        try:
            await channels.snoop_channel_with_id(
                self._line.id, self.id, app=self._line.exchange.app, app_args="snoop", spy=self._way
            )
        except Unavailable:  # a second one of the same id is no Conflict, but 500 (measured)
            await channels.get(self.id)
        else:
            await self.until(self._entered, ENTER_SECONDS)

    async def start(self) -> None:
        """Record, unless it does already. Raises AriError."""
        try:
            await self._client.channels.record(self.id, self.name)
        except Conflict:
            await self._client.recordings.get_live(self.name)

    async def mute(self) -> None:
        """Not idempotent: Asterisk keeps it in a signed bit, which is never 1, and toggles (22.10.1)."""
        await self._client.recordings.mute(self.name)

    async def unmute(self) -> None:
        await self._client.recordings.unmute(self.name)

    async def stop(self) -> None:
        """Close the file and let go of the channel."""
        if self._line.ended.done():
            return
        if not self.over.done():
            await let_go(self._client.recordings.stop(self.name))
        await let_go(self._client.channels.hangup(self.id))


class AriTape:
    """Both ways of one conversation. Listened to before it is asked for."""

    def __init__(self, line: "AriLine", audio_id: str) -> None:
        self.ended: datetime | None = None
        self._line = line
        self._spies = [Spy(line, audio_id, number) for number in range(len(WAYS))]
        self._started = False

    @contextmanager
    def listened_to(self) -> Iterator["AriTape"]:
        with ExitStack() as ears:
            for spy in self._spies:
                ears.enter_context(spy.listened_to())
            yield self

    async def place(self) -> datetime:
        await self._both(Spy.place)
        return datetime.now(UTC)

    async def start(self) -> None:
        self._started = True
        await self._both(Spy.start)

    async def mute(self) -> datetime:
        await self._both(Spy.mute)
        return datetime.now(UTC)

    async def unmute(self) -> datetime:
        await self._both(Spy.unmute)
        return datetime.now(UTC)

    async def key(self, seconds: float | None) -> Key | None:
        pressed = asyncio.ensure_future(self._line.keys.next())
        either: set[asyncio.Future[Any]] = {pressed, *(spy.over for spy in self._spies)}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pressed.cancel()
        if pressed.done() and not pressed.cancelled():
            return pressed.result()
        if any(spy.over.done() for spy in self._spies):
            raise TapeEnded
        return None

    async def stop(self) -> None:
        if self.ended is not None or self._line.exchange.detached:
            return
        await asyncio.gather(*(spy.stop() for spy in self._spies))
        ends = [spy.over for spy in self._spies]
        if self._started:
            await asyncio.wait(ends, timeout=FINISH_SECONDS)
        instants = [end.result() for end in ends if end.done()]
        self.ended = max(instants, default=datetime.now(UTC))

    async def _both(self, act: Callable[[Spy], Awaitable[None]]) -> None:
        """The same for both ways at once. Raises HungUp when the caller has gone meanwhile, else AriError."""
        try:
            await asyncio.gather(*(act(spy) for spy in self._spies))
        except AriError:
            await self._line.perhaps_hung_up()
            raise
