"""The caller's line, on Asterisk: engine.line.Line by ARI commands and the events of its channel."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from dialplan.destination import Destination
from dialplan.prompt import Prompt
from dialplan.result import Result
from engine.ari import causes
from engine.ari.arrival import Arrival
from engine.ari.channel import Channel
from engine.ari.errors import AriError, BadState, Conflict, Gone, Refused
from engine.ari.events import Kind, PlaybackFinished, StasisEnd
from engine.ari.exchange import Exchange
from engine.ari.leg import AriLeg
from engine.ari.operations import Reported, Variables
from engine.ari.ringing import AriRinging
from engine.line import Ended, HungUp, LegWitness
from storage.records import LegRecord

log = structlog.get_logger()

# Asterisk's PlaybackFinished may never come (a missing recording): the prompt's length and this much more.
PLAY_GRACE_SECONDS = 5.0
# How much longer than the step itself a caller keeps its lease; then Asterisk takes the call to its fallback.
LEASE_GRACE_SECONDS = 30
HANG_UP_SECONDS = 2.0
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
        self._prompts = 0
        self._rings = False
        self._up = False
        self._asides: set[asyncio.Task[None]] = set()

    @property
    def came(self) -> datetime:
        return self.entered

    def left(self, event: StasisEnd) -> None:
        """A caller's channel tells no cause unless one subscribes to it, which its end does not need."""
        self.end(event.at, causes.Cause.NORMAL)

    # What a call does with its line (engine.line.Line).

    async def play(self, prompt: Prompt) -> bool:
        self._prompts += 1
        playback_id = f"{self.call_id}-p{self._prompts}"
        self.lease(prompt.seconds + LEASE_GRACE_SECONDS)
        self._rings = False
        with self.exchange.dispatcher.expect((Kind.PLAYBACK, playback_id), PlaybackFinished) as finished:
            media = [f"sound:{prompt.path.with_suffix('')}"]
            await self.told(self._channels.play_with_id(self.id, playback_id, media))
            try:
                event = await self.until(finished, prompt.seconds + PLAY_GRACE_SECONDS)
            except TimeoutError:
                await let_go(self.exchange.client.playbacks.stop(playback_id))
                return False
        if event.playback.state != "done":
            await self._perhaps_hung_up()
        return event.playback.state == "done"

    async def answer(self) -> None:
        with suppress(BadState):  # it is up already
            await self.told(self._channels.answer(self.id))
        self._up = True

    async def ring_back(self) -> None:
        """The caller hears that a telephone rings: 180, unless the call is answered."""
        if not self._rings and not self._up:
            self._rings = True
            await self.told(self._channels.ring(self.id))

    @asynccontextmanager
    async def ringing(
        self, to: Sequence[Destination], seconds: int, witness: LegWitness
    ) -> AsyncIterator[AriRinging]:
        self.alive()  # the caller may have gone while no engine was there
        self.lease(seconds + LEASE_GRACE_SECONDS)
        with ExitStack() as ears:
            attempts = [(ears.enter_context(self._next_leg(one.number, witness)), one) for one in to]
            ringing = AriRinging(self.exchange, self, attempts, seconds)
            try:
                yield ringing
            finally:
                if self.exchange.detached:
                    ringing.detach()
                else:
                    await ringing.close()

    @asynccontextmanager
    async def talking(self, leg: AriLeg, lease: float) -> AsyncIterator["AriTalk"]:
        """Both in one bridge; afterwards neither bridge nor leg is left."""
        bridge_id = f"{self.call_id}-br"
        self.lease(lease, "talking")
        self._aside(let_go(leg.lease(lease)))
        try:
            await self._bridge(bridge_id, leg)
            yield AriTalk(self, leg)
        finally:
            if not self.exchange.detached:
                destroyed = let_go(self.exchange.client.bridges.destroy(bridge_id))
                await asyncio.gather(leg.let_go(causes.Cause.NORMAL), destroyed)

    async def hang_up(self, result: Result) -> Ended:
        return await self._end_with(causes.farewell(result))

    async def turn_away(self) -> Ended:
        return await self._end_with(causes.UNKNOWN_NUMBER)

    # How it does that.

    def lease(self, seconds: float, state: str = "routing") -> None:
        """Let Asterisk take the call back when we have not said otherwise for `seconds`; not waited for."""
        variables: Variables = {
            "CALL_UUID": Reported(self.call_id),
            "ENGINE_STATE": Reported(state),
            "TIMEOUT(absolute)": str(int(seconds)),
        }
        self._aside(let_go(self._channels.set_channel_vars(self.id, variables)))

    def skip_legs(self, numbers: int) -> None:
        """Ids that an earlier engine has used, or may have used for legs it had no time to note."""
        self._legs = numbers + MOST_AT_ONCE

    @contextmanager
    def old_leg(self, was: LegRecord, witness: LegWitness) -> Iterator[AriLeg]:
        """A leg that an earlier engine made."""
        leg = AriLeg(self, was.leg_id, was.to, witness)
        leg.remember(was)  # before it hears how it went on: what an end means depends on what was
        with self._listened_to(leg):
            yield leg

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

    async def _bridge(self, bridge_id: str, leg: AriLeg) -> None:
        """Both into one bridge, which may be there already; who hung up in between raises HungUp."""
        bridges = self.exchange.client.bridges
        with suppress(Conflict):
            await bridges.create_with_id(bridge_id)
        try:
            await bridges.add_channel(bridge_id, [self.id, leg.id])
        except (Gone, Conflict, Refused):
            ends = {self.ended, leg.ended}
            await asyncio.wait(ends, timeout=HANG_UP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            raise first_gone(self, leg) from None

    async def _end_with(self, cause: int) -> Ended:
        if not self.ended.done():
            await let_go(self._channels.hangup(self.id, reason_code=cause))
        ended = await self.end_of(HANG_UP_SECONDS)
        return Ended(ended.at, cause, ended.outcome, ended.lost)

    async def _perhaps_hung_up(self) -> None:
        """A hang-up fails a playback a moment before the channel says that it has left (0-1 ms, measured)."""
        await asyncio.wait({self.ended}, timeout=0.1)
        if self.ended.done():
            raise HungUp(self, self.ended.result())

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something the call does not wait for; kept until it is done."""
        task = asyncio.create_task(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)


class AriTalk:
    """Caller and destination in one bridge."""

    def __init__(self, line: AriLine, leg: AriLeg) -> None:
        self._line = line
        self._leg = leg

    async def over(self, seconds: float) -> Ended | None:
        """Whoever left first ended it: both may have, while no engine was there to see it."""
        ends = {self._line.ended, self._leg.ended}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not any(end.done() for end in ends):
            return None
        gone = first_gone(self._line, self._leg)
        if gone.leg is self._line:
            raise gone
        return gone.ended


def first_gone(line: AriLine, leg: AriLeg) -> HungUp:
    """Of two legs of which at least one has ended, the one that ended first; lost with Asterisk: the line."""
    gone = [channel for channel in (line, leg) if channel.ended.done()]
    if not gone:
        line.lose(datetime.now(UTC))
        gone = [line]
    first = min(gone, key=lambda channel: channel.ended.result().at)
    return HungUp(first, first.ended.result())


async def let_go(request: Coroutine[Any, Any, None]) -> None:
    """A command whose failure changes nothing: what is to be let go is gone, or Asterisk itself is."""
    try:
        await request
    except Gone:
        pass
    except AriError as trouble:
        log.warning("ari_failed", error=str(trouble))
