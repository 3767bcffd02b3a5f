"""The caller's line, on Asterisk: engine.line.Line by ARI commands and the events of its channel."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.ari.arrival import Arrival
from engine.ari.asking import ask, wait
from engine.ari.channel import Channel
from engine.ari.errors import AriError, BadState, Conflict, Gone
from engine.ari.events import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelStateChange,
    Dial,
    Event,
    Kind,
    StasisEnd,
    StasisStart,
)
from engine.ari.exchange import Exchange, best_effort
from engine.ari.hand_over import HandOver
from engine.ari.keys import Keys
from engine.ari.playing import play, stop_playback
from engine.ari.recording import AriRecording
from engine.causes import HANG_UPS, UNKNOWN_NUMBER, Cause
from engine.line import ANSWER_SECONDS, Connect, Ended, HungUp, Key, Limits, Recorded, Returned
from engine.notice import ANSWER_KEY, Acceptance, Announcement, Refusal

HANG_UP_SECONDS = 2.0
UP_SECONDS = 0.5
# CEL reports the end of a call within milliseconds. Later, ask Asterisk for the channel: the caller may talk
# at the number's fallback, or CEL cannot be read.
REPORTED_SECONDS = 2.0
ASKED_SECONDS = 30.0
# Give up a call so long after Asterisk no longer has its channel: CEL may be read late.
GIVEN_UP_SECONDS = 5.0


class AriLine(Channel):
    """A call that came in, from StasisStart to the end that CEL reports.

    While the caller is handed over, StasisEnd is not the end of the call.
    """

    def __init__(self, exchange: Exchange, arrival: Arrival) -> None:
        super().__init__(arrival.channel_id)
        self.call_id = arrival.call_id
        self.dialled = arrival.dialled
        self.caller = arrival.caller
        self.entered = arrival.entered
        self.trunk = arrival.trunk
        self.exchange = exchange
        self.hand_over = HandOver(exchange, arrival)
        self._keys = Keys()
        self._channels = exchange.client.channels
        loop = asyncio.get_running_loop()
        self._up: asyncio.Future[datetime] = loop.create_future()
        self._over: asyncio.Future[datetime] = loop.create_future()
        self._recording: AriRecording | None = None
        self._lost: Ended | None = None

    # Events of Asterisk.

    def on_event(self, event: Event) -> None:
        match event:
            case StasisStart(args=("back", number, _, *legs)):
                self.exchange.waiting.add(self.id)
                self.hand_over.on_back(number, legs, event.at)
            case StasisEnd() if self.hand_over.is_active:
                self._stasis_end = event
                return
            case ChannelDestroyed() if self.hand_over.is_active:  # CEL reports it, and what ended it
                return
            case Dial(status="RINGING" | "PROGRESS"):
                self.hand_over.on_ringing(event)
            case ChannelStateChange(channel=channel) if channel.state == "Up" and not self._up.done():
                self._up.set_result(event.at)
            case ChannelDtmfReceived():
                self._keys.press(Key(event.digit, event.at))
        super().on_event(event)

    def on_stasis_end(self, event: StasisEnd) -> None:
        """End at once: no event has the cause of a caller's channel, which nobody subscribed to or needs."""
        self.exchange.waiting.discard(self.id)
        self.end(event.at, Cause.NORMAL)

    def on_cel_end(self, at: datetime) -> None:
        """CEL reports that nothing is left of the call."""
        if not self._over.done():
            self._over.set_result(at)

    def lose_with_asterisk(self, at: datetime) -> None:
        """Asterisk has died, and CEL has no end of the call. That it left our application was none."""
        self._lost = Ended(at, Cause.INTERWORKING, lost=True)
        self.lose(at)
        self.on_cel_end(at)

    @property
    def is_over(self) -> bool:
        """Whether ARI or CEL has reported how it ended."""
        return self._over.done() or self.ended.done()

    async def ends_within(self, seconds: float) -> bool:
        """Whether ARI or CEL reports within these seconds how it ended."""
        ends: set[asyncio.Future[Any]] = {self._over, self.ended}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self.is_over

    # The verbs of a call (engine.line.Line).

    async def play(self, prompt: Prompt) -> datetime | None:
        played = await play(self.exchange, self, self.call_id, prompt)
        return played[1] if played else None

    async def announce_recording(self, announcement: Announcement) -> Acceptance | Refusal | None:
        self._keys.forget()
        played = await play(self.exchange, self, self.call_id, announcement.prompt)
        if played is None or not announcement.is_whole(*played):
            return None
        pressed = announcement.policy.asks and await self._presses_answer_key()
        return announcement.notice(*played, pressed=pressed)

    async def ask(self, prompt: Prompt | None, seconds: float) -> Key | None:
        return await ask(self.exchange, self, self._keys, prompt, seconds)

    def forget_keys(self) -> None:
        self._keys.forget()

    async def wait(self, seconds: float, music: Prompt | None) -> None:
        await wait(self.exchange, self, seconds, music)

    async def answer(self) -> datetime:
        with suppress(BadState):  # it is up already
            await self.command(self._channels.answer(self.id))
        try:
            return await self.until(self._up, UP_SECONDS)
        except TimeoutError:  # an earlier engine answered, and died before it journalled that
            self._up.set_result(datetime.now(UTC))
            return self._up.result()

    async def record(
        self, name: str, limits: Limits, beep: Prompt | None, warning: Prompt | None
    ) -> Recorded:
        self._keys.forget()
        with self.spooled(name) as recording:
            return await recording.make(limits, beep, warning)

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        return await self._recording.take_over(limits) if self._recording else None

    async def connect(self, connect: Connect) -> Returned:
        self.alive()
        self.hand_over.begin(connect.number)
        try:
            await self.hand_over.start(connect)
        except AriError as error:
            self.hand_over.end()
            if self._stasis_end is not None:  # it came during the command
                self.on_stasis_end(self._stasis_end)
            if isinstance(error, Gone | Conflict):  # the caller has hung up, or the lease has run out
                raise HungUp(self.id, await self.end_of()) from None
            raise
        return await self.connecting(connect)

    async def connecting(self, connect: Connect) -> Returned:
        if self.hand_over.returned is None:
            return await self.connect(connect)
        returned = await self._until_returned(self.hand_over.returned)
        self.hand_over.end()
        self._stasis_end = None
        return returned

    async def hang_up(self, result: Result) -> Ended:
        return await self._end_with(HANG_UPS[result].cause)

    async def turn_away(self) -> Ended:
        return await self._end_with(UNKNOWN_NUMBER.cause)

    async def over(self) -> Ended:
        await self._until_over(REPORTED_SECONDS)
        self._close()
        return self._lost or self.ended.result()

    # For the takeover.

    async def stop_playback(self) -> None:
        """Stop the prompt that an earlier engine began."""
        await stop_playback(self.exchange, self)

    @contextmanager
    def spooled(self, name: str) -> Iterator[AriRecording]:
        """Listen to the events of a message that is to be recorded, or that an earlier engine began.

        Afterwards line and recording do not refer to each other: no collection of garbage would find them for
        half an hour (process/loop.py).
        """
        before, recording = self._recording, AriRecording(self.exchange, self, self._keys, self.call_id, name)
        self._recording = recording
        try:
            with self.exchange.dispatcher.listen((Kind.RECORDING, name), recording.on_event):
                yield recording
        finally:
            self._recording = before

    async def application(self) -> str | None:
        """Return the dialplan application of the caller; None: there is no such channel; "": unknown now."""
        try:
            channel = await self._channels.get(self.id)
        except Gone:
            return None
        except AriError:
            return ""
        return channel.application if channel else ""

    def last_instant(self, started: datetime) -> datetime:
        """Return the last instant at which the call can have lived if the Asterisk that had it has ended.

        `started`: when the present Asterisk did.
        """
        known = self.exchange.last_known
        return min(known, started) if started > self.entered else known

    # How the verbs do it.

    async def _until_returned(self, returned: asyncio.Future[Returned]) -> Returned:
        """Wait as long as destinations ring and parties talk. Raises HungUp if the call ends first."""
        await self._until_over(ASKED_SECONDS, returned, self.ended)
        if not returned.done():
            self._close()
            self.alive()
        return returned.result()

    async def _until_over(self, seconds: float, *or_until: asyncio.Future[Any]) -> None:
        """Wait until nothing is left of the call, or for one of these; ask Asterisk after `seconds`."""
        ends: set[asyncio.Future[Any]] = {self._over, *or_until}
        while not any(end.done() for end in ends):
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            seconds = ASKED_SECONDS
            if not done and await self.application() is None:
                await asyncio.wait(ends, timeout=GIVEN_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                return

    def _close(self) -> None:
        """End the call when CEL says it ended; if CEL does not, the call is lost."""
        if self._over.done():
            self.end(self._over.result(), Cause.NORMAL)
        self.lose(self.exchange.last_known)

    async def hang_up_for_operator(self) -> None:
        """Hang up, whatever the caller does. Raises AriError."""
        await self._channels.hangup(self.id, reason_code=Cause.BY_OPERATOR)

    async def _end_with(self, cause: Cause) -> Ended:
        if not self.ended.done():
            await best_effort(self._channels.hangup(self.id, reason_code=cause))
        ended = await self.end_of(HANG_UP_SECONDS)
        return Ended(ended.at, cause, ended.lost)

    async def _presses_answer_key(self) -> bool:
        """Whether the caller presses the key in time."""
        pressed = asyncio.ensure_future(self._keys.pressed(ANSWER_KEY))
        try:
            await self.until(pressed, ANSWER_SECONDS)
        except TimeoutError:
            return False
        finally:
            pressed.cancel()
        return True
