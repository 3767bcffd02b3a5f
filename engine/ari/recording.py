"""The message recorder: a file in Asterisk's spool, under a name that the engine chose."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog

from dialplan.prompt import Prompt
from engine.ari.channel import Channel
from engine.ari.errors import AriError, Gone
from engine.ari.events import Event, RecordingFailed, RecordingFinished
from engine.ari.exchange import Exchange, best_effort, media
from engine.ari.keys import Keys
from engine.ari.lease import leased
from engine.ari.operations import Channels
from engine.ari.whisper import whisper
from engine.line import How, Limits, Recorded
from journal.ids import playback_id

log = structlog.get_logger()

END_KEY = "#"
# The caller is warned so long before the limit; in the middle of a short message.
WARNED_BEFORE_SECONDS = 10.0
# Asterisk ends a recording up to 0.9 s after its limit (measured); after so much longer it never will.
GRACE_SECONDS = 5.0
# RecordingFinished, the key that ended it and the end of the channel come in any order, 1 ms apart.
TOGETHER_SECONDS = 0.1


class AriRecording:
    """A recording of this name, now or soon. Listen to its events before asking Asterisk for it."""

    def __init__(self, exchange: Exchange, channel: Channel, keys: Keys, call_id: str, name: str) -> None:
        self._exchange = exchange
        self._channel = channel
        self._keys = keys
        self._call_id = call_id
        self._name = name
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[RecordingFinished | RecordingFailed] = loop.create_future()

    def on_event(self, event: Event) -> None:
        if isinstance(event, RecordingFinished | RecordingFailed) and not self._over.done():
            self._over.set_result(event)

    async def make(self, limits: Limits, beep: Prompt | None, warning: Prompt | None) -> Recorded:
        """Record from the beep on, and wait for the end. The channel takes no other command meanwhile."""
        seconds = limits.seconds + (beep.seconds if beep else 0)
        start = await leased(self._exchange, self._channel.id, seconds, "talking")
        await self._add_commands(start.channels, limits, beep)
        try:
            await self._channel.command(start.carry_out())
        except AriError as error:
            log.warning("recording_refused", error=str(error))
            if not await self._may_be_live():  # perhaps only the reply was lost
                return Recorded(How.FAILED, datetime.now(UTC))
        warned_before = min(WARNED_BEFORE_SECONDS, limits.seconds / 2)
        if warning and not await self._ends_within(seconds - warned_before):
            await whisper(self._exchange, self._channel.id, self._call_id, warning, times=2)
        return await self._end(limits, seconds + GRACE_SECONDS)

    async def take_over(self, limits: Limits) -> Recorded | None:
        """Wait for the end of a recording that an earlier engine began; None if it never began."""
        if self._over.done() or self._channel.ended.done() or await self._is_live():
            return await self._end(limits, limits.seconds + GRACE_SECONDS)
        return await self._end(limits, 0) if await self._is_stored() else None

    async def _add_commands(self, channels: Channels, limits: Limits, beep: Prompt | None) -> None:
        """Do not wait for the end of the beep: Asterisk carries out the commands one after the other.

        Send silence to the caller too: a network may end a call in which it receives no RTP. Its failure, or
        that of the beep, refuses no message.
        """
        if beep is not None:
            await channels.play_with_id(self._channel.id, playback_id(self._call_id), [media(beep)])
        await channels.start_silence(self._channel.id)
        await channels.record(
            self._channel.id,
            self._name,
            max_duration_seconds=limits.seconds,
            max_silence_seconds=limits.silence,
            terminate_on=END_KEY,
        )

    async def _ends_within(self, seconds: float) -> bool:
        ends: set[asyncio.Future[Any]] = {self._over, self._channel.ended}
        done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def _end(self, limits: Limits, seconds: float) -> Recorded:
        """Wait for the end, at most so long; return how and when it ended."""
        if not await self._ends_within(seconds):
            await best_effort(self._exchange.client.recordings.stop(self._name))
        ends: set[asyncio.Future[Any]] = {self._over, self._channel.ended}
        done, _ = await asyncio.wait(ends, timeout=TOGETHER_SECONDS)
        if self._channel.ended in done and self._over not in done and not await self._may_be_stored():
            self._channel.alive()
        instants = [end.result().at for end in done]
        return Recorded(self._how(limits), min(instants, default=datetime.now(UTC)))

    def _how(self, limits: Limits) -> How:
        if self._channel.ended.done():
            return How.HANGUP
        event = self._over.result() if self._over.done() else None
        match event:
            case RecordingFailed():
                log.warning("recording_failed", why=event.recording.why)
                return How.FAILED
            case _ if self._keys.latest == END_KEY:
                return How.KEY
            case RecordingFinished() if (event.recording.seconds or 0) < limits.seconds:
                return How.SILENCE
            case _:
                return How.LIMIT

    async def _is_live(self) -> bool:
        try:
            await self._exchange.client.recordings.get_live(self._name)
        except Gone:
            return False
        return True

    async def _may_be_live(self) -> bool:
        try:
            return await self._is_live()
        except AriError:  # Asterisk has died, and the call with it, or is back soon
            return True

    async def _may_be_stored(self) -> bool:
        try:
            return await self._is_stored()
        except AriError:  # Asterisk has died
            return True

    async def _is_stored(self) -> bool:
        try:
            await self._exchange.client.recordings.get_stored(self._name)
        except Gone:
            return False
        return True
