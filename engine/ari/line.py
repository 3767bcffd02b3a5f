"""The caller's line, on Asterisk: engine.line.Line by ARI commands and the events of its channel."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from dialplan.destination import Destination
from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.ari import causes
from engine.ari.arrival import Arrival
from engine.ari.bridge import AriBridge
from engine.ari.channel import Channel
from engine.ari.errors import AriError, BadState, Gone
from engine.ari.events import (
    ChannelDtmfReceived,
    ChannelStateChange,
    Event,
    Kind,
    StasisEnd,
)
from engine.ari.exchange import Exchange, let_go
from engine.ari.keys import Keys
from engine.ari.leg import AriLeg
from engine.ari.operations import Reported, Variables
from engine.ari.playing import hush, play, playback_id, playing
from engine.ari.recording import AriRecording
from engine.ari.ringing import AriRinging
from engine.ari.talk import AriTalk
from engine.ari.tape import AriTape, Spy
from engine.line import ANSWER_SECONDS, Ended, Key, LegWitness, Limits, Party, Recorded
from engine.notice import ANSWER_KEY, Announcement, Informed, Notice, Refusal
from engine.served import Served
from storage.records import LegRecord

# How much longer than the step itself a caller keeps its lease; then Asterisk takes the call to its fallback.
LEASE_GRACE_SECONDS = 30
# The dialplan gives an engine so long to take a call (extensions.conf, 5); a lease may end a little early.
DIALPLAN_LEASE = timedelta(seconds=5)
LEASE_SLACK = timedelta(seconds=1)
HANG_UP_SECONDS = 2.0
UP_SECONDS = 0.5
MOST_AT_ONCE = 10  # destinations of one ring


class AriLine(Channel):
    """A call that came in, from StasisStart to StasisEnd."""

    def __init__(self, exchange: Exchange, came: Arrival) -> None:
        super().__init__(came.channel_id)
        self.call_id = came.call_id
        self.dialled = came.dialled
        self.caller = came.caller
        self.entered = came.entered
        self.legs: set[AriLeg] = set()
        self.exchange = exchange
        self._channels = exchange.client.channels
        self._legs = 0
        self.last_key = ""
        self.keys = Keys()
        self.spies: set[Spy] = set()
        self._rings = False
        self._leased_until = self.entered + DIALPLAN_LEASE
        self._up: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._recording: AriRecording | None = None
        self._tape: AriTape | None = None
        self.bridge = AriBridge(self)
        self._asides: set[asyncio.Task[None]] = set()

    @property
    def came(self) -> datetime:
        return self.entered

    def see(self, event: Event) -> None:
        match event:
            case ChannelStateChange(channel=channel) if channel.state == "Up" and not self._up.done():
                self._up.set_result(event.at)
            case ChannelDtmfReceived():
                self.last_key = event.digit
                self.keys.press(Key(Party.CALLER, event.digit, event.at))
        super().see(event)

    def left(self, event: StasisEnd) -> None:
        """A caller's channel tells no cause unless one subscribes to it, which its end does not need."""
        self.end(event.at, causes.Cause.NORMAL)

    # What a call does with its line (engine.line.Line).

    async def play(self, prompt: Prompt) -> datetime | None:
        played = await self._play(prompt)
        return played[1] if played else None

    async def announce_recording(self, announcement: Announcement) -> Notice | Refusal | None:
        self.keys.forget()
        played = await self._play(announcement.prompt)
        if played is None or not announcement.is_whole(*played):
            return None
        pressed = announcement.policy.asks and await self._answers()
        return announcement.heard(*played, pressed=pressed)

    @contextmanager
    def recording(self, _notice: Notice, _informed: Informed, audio_id: str) -> Iterator[AriTape]:
        if self._tape is None:  # what was pressed before was not meant for it
            self.keys.forget()
        with self.taped(audio_id) as tape:
            yield tape

    async def _play(self, prompt: Prompt) -> tuple[datetime, datetime] | None:
        """The lease is waited for: a leg that is being played something takes no other command meanwhile."""
        playback = playback_id(self.call_id)
        await self._leased(prompt.seconds + LEASE_GRACE_SECONDS, playback=playback)
        self._rings = False
        return await play(self.exchange, self, playback, prompt)

    async def announced_to(self, leg: AriLeg, prompt: Prompt) -> tuple[datetime, datetime] | None:
        """Play the prompt to a destination that has answered, while the caller hears a telephone ring."""
        lease, playback = prompt.seconds + LEASE_GRACE_SECONDS, playback_id(leg.id)
        self.lease(lease)
        await self.ring_back()
        await let_go(leg.lease(lease, playback))
        heard = asyncio.ensure_future(play(self.exchange, leg, playback, prompt))
        try:
            return await self.until(heard)
        finally:
            heard.cancel()

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

    async def ring_back(self) -> None:
        """The caller hears that a telephone rings: 180, unless the call is answered."""
        if not self._rings and not self._up.done():
            self._rings = True
            await self.told(self._channels.ring(self.id))

    @asynccontextmanager
    async def ringing(
        self, to: Sequence[Destination], seconds: int, witness: LegWitness
    ) -> AsyncIterator[AriRinging]:
        self.alive()  # the caller may have gone while no engine was there
        with ExitStack() as ears:
            attempts = [(ears.enter_context(self._next_leg(one.number, witness)), one) for one in to]
            ringing = AriRinging(self.exchange, self, attempts, seconds)
            self.lease(seconds + LEASE_GRACE_SECONDS)  # asked for after the leg, which is waited for
            try:
                yield ringing
            finally:
                if self.exchange.detached:
                    ringing.detach()
                else:
                    await ringing.close()

    @asynccontextmanager
    async def talking(self, leg: AriLeg, lease: float) -> AsyncIterator["AriTalk"]:
        """Both in one bridge; afterwards the leg is let go."""
        self.lease(lease, "talking")
        self._aside(let_go(leg.lease(lease)))
        try:
            await self.bridge.join(leg)
            yield AriTalk(self, leg)
        finally:
            if not self.exchange.detached:
                await leg.let_go(causes.Cause.NORMAL)

    async def served(self, ended: Ended) -> Served | None:
        if self.exchange.witness is None or ended.at < self._leased_until - LEASE_SLACK:
            return None
        return await self.exchange.witness.became(self.id, self._exists)

    async def _exists(self) -> bool:
        """Whether Asterisk has this channel still, in the dialplan."""
        try:
            await self._channels.get(self.id)
        except Gone:
            return False
        except AriError:
            return True  # it cannot be asked now
        return True

    async def hang_up(self, result: Result) -> Ended:
        return await self._end_with(causes.farewell(result))

    async def turn_away(self) -> Ended:
        return await self._end_with(causes.UNKNOWN_NUMBER)

    async def close(self) -> None:
        """The call is over. The caller is let be: if he is there still, Asterisk's fallback has him."""
        await self.bridge.dissolve()

    # How it does that.

    def lease(self, seconds: float, state: str = "routing") -> None:
        """Let Asterisk take the call back when we have not said otherwise for `seconds`; not waited for."""
        self._aside(self._leased(seconds, state))

    async def hush(self, leg: AriLeg | None) -> None:
        """Stop what an earlier engine has left playing to the caller, or to this destination."""
        await asyncio.gather(
            *(hush(self.exchange, channel) for channel in (self, leg) if channel is not None)
        )

    def take_over(self, legs: int) -> None:
        """From an engine that has used so many ids of legs, and maybe more that it had no time to note.

        How long its lease lasts is not known.
        """
        self._legs = legs + MOST_AT_ONCE
        self._leased_until = self.entered

    @contextmanager
    def old_leg(self, was: LegRecord, witness: LegWitness) -> Iterator[AriLeg]:
        """A leg that an earlier engine made."""
        leg = AriLeg(self, was.leg_id, was.to, witness)
        leg.remember(was)  # before it hears how it went on: what an end means depends on what was
        with self._listened_to(leg):
            yield leg

    @contextmanager
    def spooled(self, name: str) -> Iterator[AriRecording]:
        """A message to be recorded, or that an earlier engine began."""
        self._recording = AriRecording(self, name)
        with self.exchange.dispatcher.listen((Kind.RECORDING, name), self._recording.see):
            yield self._recording

    @contextmanager
    def taped(self, audio_id: str) -> Iterator[AriTape]:
        """A conversation to be recorded, or that an earlier engine records."""
        if self._tape is not None:  # taken over, and listened to already
            yield self._tape
            return
        self._tape = AriTape(self, audio_id)
        with self._tape.listened_to() as tape:
            yield tape

    @contextmanager
    def _next_leg(self, to: str, witness: LegWitness) -> Iterator[AriLeg]:
        self._legs += 1
        with self._listened_to(AriLeg(self, f"{self.call_id}-b{self._legs}", to, witness)) as leg:
            yield leg

    @contextmanager
    def _listened_to(self, leg: AriLeg) -> Iterator[AriLeg]:
        self.legs.add(leg)
        with self.exchange.dispatcher.listen((Kind.CHANNEL, leg.id), leg.see):
            yield leg
        self.legs.discard(leg)

    async def _leased(self, seconds: float, state: str = "routing", playback: str = "") -> None:
        """`talking`: the call ends with the lease; else it is taken to its fallback (extensions.conf, 6)."""
        self._leased_until = datetime.now(UTC) + timedelta(seconds=seconds)
        variables: Variables = {
            "CALL_UUID": Reported(self.call_id),
            "ENGINE_STATE": Reported(state),
            "TIMEOUT(absolute)": str(int(seconds)),
            **playing(playback),
        }
        await let_go(self._channels.set_channel_vars(self.id, variables))

    async def _end_with(self, cause: int) -> Ended:
        if not self.ended.done():
            await let_go(self._channels.hangup(self.id, reason_code=cause))
        ended = await self.end_of(HANG_UP_SECONDS)
        return Ended(ended.at, cause, ended.outcome, ended.lost)

    async def _answers(self) -> bool:
        """Does the caller press the key, before he has thought about it for too long?"""
        pressed = asyncio.ensure_future(self._answer())
        try:
            await self.until(pressed, ANSWER_SECONDS)
        except TimeoutError:
            return False
        finally:
            pressed.cancel()
        return True

    async def _answer(self) -> None:
        """Wait for the key that is one; any other says nothing."""
        key = await self.keys.next()
        while (key.by, key.digit) != (Party.CALLER, ANSWER_KEY):
            key = await self.keys.next()

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something the call does not wait for; kept until it is done."""
        task = asyncio.create_task(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)
