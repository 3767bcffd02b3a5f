"""The caller's line, on Asterisk: engine.line.Line by ARI commands and the events of its channel."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.ari import causes
from engine.ari.arrival import Arrival
from engine.ari.asking import agrees, ask, wait
from engine.ari.channel import Channel
from engine.ari.connect import CONTEXT, EXTENSION, ORDINARY, as_extension, returned, variables
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
from engine.ari.exchange import Exchange, let_go
from engine.ari.keys import Keys
from engine.ari.operations import Reported, Variables
from engine.ari.playing import hush, play, playback_id, playing
from engine.ari.recording import AriRecording
from engine.line import Connect, Ended, HungUp, Key, Limits, Recorded, Returned
from engine.notice import Announcement, Notice, Refusal
from journal.ids import leg_id_of

# How much longer than the step itself a caller keeps its lease; then Asterisk takes the call to its fallback.
LEASE_GRACE_SECONDS = 30
HANG_UP_SECONDS = 2.0
UP_SECONDS = 0.5
# CEL tells the end of a call within milliseconds. Later, the channel itself is asked for: it may talk at the
# number's fallback, or CEL cannot be read.
TOLD_SECONDS = 2.0
LOOKED_FOR_SECONDS = 30.0
# A call that Asterisk does not have any more is given up so much later: CEL may be read late.
GIVEN_UP_SECONDS = 5.0


class AriLine(Channel):
    """A call that came in, from StasisStart to the end that CEL tells.

    Handed over, it is in the dialplan: its StasisEnd is not its end then. `rang`: when each leg of a ring of
    several rang, by leg id. `dialling`: endpoint and number of each destination of the latest ring, by CEL.
    """

    def __init__(self, exchange: Exchange, came: Arrival) -> None:
        super().__init__(came.channel_id)
        self.call_id = came.call_id
        self.dialled = came.dialled
        self.caller = came.caller
        self.entered = came.entered
        self.exchange = exchange
        self.last_key = ""
        self.keys = Keys()
        self.rang: dict[str, datetime] = {}
        self.dialling: tuple[tuple[str, str], ...] = ()
        self._channels = exchange.client.channels
        loop = asyncio.get_running_loop()
        self._up: asyncio.Future[datetime] = loop.create_future()
        self._over: asyncio.Future[datetime] = loop.create_future()
        self._returned: asyncio.Future[Returned] | None = None
        self._ring = 0
        self._recording: AriRecording | None = None

    @property
    def came(self) -> datetime:
        return self.entered

    @property
    def handed_over(self) -> bool:
        """Whether the caller is in the dialplan, and not in our application."""
        return self._returned is not None and not self._returned.done()

    # What Asterisk tells.

    def see(self, event: Event) -> None:
        match event:
            case StasisStart(args=("back", number, _, *legs)):
                self.back(returned(self.call_id, number, "".join(legs), event.at))
            case StasisEnd() if self.handed_over:
                self._left = event
                return
            case ChannelDestroyed() if self.handed_over:  # CEL says it, and what ended it
                return
            case Dial(status="RINGING" | "PROGRESS"):
                self.rang.setdefault(leg_id_of(self.call_id, event.channel.id), event.at)
            case ChannelStateChange(channel=channel) if channel.state == "Up" and not self._up.done():
                self._up.set_result(event.at)
            case ChannelDtmfReceived():
                self.last_key = event.digit
                self.keys.press(Key(event.digit, event.at))
        super().see(event)

    def left(self, event: StasisEnd) -> None:
        """A caller's channel tells no cause unless one subscribes to it, which its end does not need."""
        self.end(event.at, causes.Cause.NORMAL)

    def back(self, returned: Returned) -> None:
        """The caller is back in our application. Ignored where the caller was not handed over."""
        if self._returned is not None and self.handed_over and returned.number == self._ring:
            self._returned.set_result(returned)

    @property
    def is_over(self) -> bool:
        """Whether something has said how it ended."""
        return self._over.done() or self.ended.done()

    async def ends_within(self, seconds: float) -> bool:
        """Whether something says within these seconds how the call ended."""
        await asyncio.wait({self._over, self.ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self.is_over

    def told_over(self, at: datetime) -> None:
        """CEL says that nothing is left of the call."""
        if not self._over.done():
            self._over.set_result(at)

    # What a call does with its line (engine.line.Line).

    async def play(self, prompt: Prompt) -> datetime | None:
        played = await self._play(prompt)
        return played[1] if played else None

    async def announce_recording(self, announcement: Announcement) -> Notice | Refusal | None:
        self.keys.forget()
        played = await self._play(announcement.prompt)
        if played is None or not announcement.is_whole(*played):
            return None
        pressed = announcement.policy.asks and await agrees(self)
        return announcement.heard(*played, pressed=pressed)

    async def ask(self, prompt: Prompt | None, seconds: float) -> Key | None:
        playback, whole = playback_id(self.call_id) if prompt else "", prompt.seconds if prompt else 0
        await self._leased(whole + seconds + LEASE_GRACE_SECONDS, playback=playback)
        return await ask(self, prompt, playback, seconds)

    def forget_keys(self) -> None:
        self.keys.forget()

    async def wait(self, seconds: float, music: Prompt | None) -> None:
        await self._leased(seconds + LEASE_GRACE_SECONDS)
        await wait(self, seconds, music)

    async def answer(self) -> datetime:
        with suppress(BadState):  # it is up already
            await self.told(self._channels.answer(self.id))
        try:
            return await self.until(self._up, UP_SECONDS)
        except TimeoutError:  # an earlier engine answered, and had no time to write it down
            self._up.set_result(datetime.now(UTC))
            return self._up.result()

    async def record(self, name: str, limits: Limits, warning: Prompt | None) -> Recorded:
        self.last_key = ""
        await self._leased(limits.seconds + LEASE_GRACE_SECONDS, "talking")
        with self.spooled(name) as recording:
            return await recording.make(limits, warning)

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        return await self._recording.take_over(limits) if self._recording else None

    async def connect(self, connect: Connect) -> Returned:
        self.alive()
        self.hand_over(connect.number)
        try:
            await self._continue(connect)
        except AriError as trouble:
            self.not_handed_over()
            if self._left is not None:  # it has come meanwhile
                self.left(self._left)
            if isinstance(trouble, Gone | Conflict):  # the caller has hung up, or the lease has run out
                raise HungUp(self.id, await self.end_of()) from None
            raise
        return await self.connecting(connect)

    async def connecting(self, connect: Connect) -> Returned:
        if self._returned is None:
            return await self.connect(connect)
        back = await self._until_back(self._returned)
        self._returned = self._left = None
        return back

    async def hang_up(self, result: Result) -> Ended:
        return await self._end_with(causes.farewell(result))

    async def turn_away(self) -> Ended:
        return await self._end_with(causes.UNKNOWN_NUMBER)

    async def over(self) -> Ended:
        await self._until_over(TOLD_SECONDS)
        self._close()
        return self.ended.result()

    # How it does that.

    def hand_over(self, ring: int) -> None:
        """From now on StasisEnd is not the end of the call. `ring`: its number within the call, from 1."""
        self._ring = ring
        self._returned = asyncio.get_running_loop().create_future()

    def not_handed_over(self) -> None:
        """The caller was never sent on: from now on a StasisEnd is a hang-up again, or the fallback."""
        self._returned = None

    async def hush(self) -> None:
        """Stop what an earlier engine has left playing to the caller."""
        await hush(self.exchange, self)

    @contextmanager
    def spooled(self, name: str) -> Iterator[AriRecording]:
        """A message to be recorded, or that an earlier engine began."""
        self._recording = AriRecording(self, name)
        with self.exchange.dispatcher.listen((Kind.RECORDING, name), self._recording.see):
            yield self._recording

    async def _continue(self, connect: Connect) -> None:
        """One command for an ordinary ring, else two. Raises AriError.

        Where several ring one more comes first: to hear when each of them rang, which may be 2 ms later.
        """
        if len(connect.to) > 1:
            await let_go(self._hear_legs())
        last = int(self.id[-1]) if self.id[-1:].isdecimal() else 0  # as many calls on each endpoint
        exchange = self.exchange
        values = variables(connect, self.caller, self.dialled, exchange.endpoint, last, music=exchange.music)
        context, extension = ORDINARY, as_extension(values)
        if extension is None:
            await self._channels.set_channel_vars(self.id, values)
            context, extension = CONTEXT, EXTENSION
        await self._channels.continue_in_dialplan(self.id, context=context, extension=extension, priority=1)

    async def _hear_legs(self) -> None:
        exchange = self.exchange
        await exchange.client.applications.subscribe(exchange.app, [f"channel:{self.id}"])

    async def _until_back(self, back: asyncio.Future[Returned]) -> Returned:
        """Wait for it, for as long as they ring and talk. Raises HungUp when the call ends first."""
        await self._until_over(LOOKED_FOR_SECONDS, back, self.ended)
        if not back.done():
            self._close()
            self.alive()
        return back.result()

    async def _until_over(self, seconds: float, *or_until: asyncio.Future[Any]) -> None:
        """Wait until nothing is left of the call, or for one of these; Asterisk is asked after `seconds`."""
        ends: set[asyncio.Future[Any]] = {self._over, *or_until}
        while not any(end.done() for end in ends):
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            seconds = LOOKED_FOR_SECONDS
            if not done and await self.application() is None:
                await asyncio.wait(ends, timeout=GIVEN_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                return

    def _close(self) -> None:
        """The end of the call, as CEL tells it, or not at all."""
        if self._over.done():
            self.end(self._over.result(), causes.Cause.NORMAL)
        self.lose(self.exchange.last_known)

    async def application(self) -> str | None:
        """The dialplan application that has the caller; None: Asterisk has no such channel; "": not known."""
        try:
            channel = await self._channels.get(self.id)
        except Gone:
            return None
        except AriError:  # it cannot be asked now
            return ""
        return channel.application if channel else ""

    async def _play(self, prompt: Prompt) -> tuple[datetime, datetime] | None:
        """The lease is waited for: a leg that is being played something takes no other command meanwhile."""
        playback = playback_id(self.call_id)
        await self._leased(prompt.seconds + LEASE_GRACE_SECONDS, playback=playback)
        return await play(self.exchange, self, playback, prompt)

    async def _leased(self, seconds: float, state: str = "routing", playback: str = "") -> None:
        """`talking`: the call ends with the lease; else it is taken to its fallback ([lease])."""
        values: Variables = {
            "ENGINE_STATE": Reported(state),
            "TIMEOUT(absolute)": str(int(seconds)),
            **playing(playback),
        }
        await let_go(self._channels.set_channel_vars(self.id, values))

    async def _end_with(self, cause: causes.Cause) -> Ended:
        if not self.ended.done():
            await let_go(self._channels.hangup(self.id, reason_code=cause))
        ended = await self.end_of(HANG_UP_SECONDS)
        return Ended(ended.at, cause, ended.lost)
