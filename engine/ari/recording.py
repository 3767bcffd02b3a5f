"""Recording what a caller says. The file lies in Asterisk's spool, under the name we chose before."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from dialplan.prompt import Prompt
from engine.ari.errors import AriError, Gone
from engine.ari.events import Event, RecordingFailed, RecordingFinished
from engine.ari.exchange import let_go
from engine.ari.whisper import whisper
from engine.line import How, HungUp, Limits, Recorded

if TYPE_CHECKING:
    from engine.ari.line import AriLine

log = structlog.get_logger()

END_KEY = "#"
# The caller is warned so long before the limit, of a short message in its middle.
WARNED_BEFORE_SECONDS = 10.0
# Asterisk ends a recording up to 0.9 s after its limit (measured); so much later it has forgotten it.
GRACE_SECONDS = 5.0
# RecordingFinished, the key that ended it and the end of the channel come in any order, 1 ms apart.
TOGETHER_SECONDS = 0.1


class AriRecording:
    """A recording that is, or will be, of this name. Listened to before it is asked for."""

    def __init__(self, line: "AriLine", name: str) -> None:
        self._line = line
        self._name = name
        self._client = line.exchange.client
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[RecordingFinished | RecordingFailed] = loop.create_future()

    def see(self, event: Event) -> None:
        if isinstance(event, RecordingFinished | RecordingFailed) and not self._over.done():
            self._over.set_result(event)

    async def make(self, limits: Limits, warning: Prompt | None) -> Recorded:
        """Record from now on, and wait for the end. The channel takes no other command meanwhile."""
        try:
            await self._line.told(self._ask(limits))
        except HungUp as gone:
            return Recorded(How.HANGUP, gone.ended.at)
        except AriError as trouble:
            log.warning("recording_refused", error=str(trouble))
            if not await self._is_live():  # the reply may be all that was lost
                return Recorded(How.FAILED, datetime.now(UTC))
        warned_before = min(WARNED_BEFORE_SECONDS, limits.seconds / 2)
        if warning and not await self._ends_within(limits.seconds - warned_before):
            await whisper(self._line, warning, times=2)
        return await self._end(limits, limits.seconds + GRACE_SECONDS)

    async def take_over(self, limits: Limits) -> Recorded | None:
        """Wait for the end of what an earlier engine began; None if it never came to that."""
        if self._over.done() or self._line.ended.done() or await self._is_live():
            return await self._end(limits, limits.seconds + GRACE_SECONDS)
        return await self._end(limits, 0) if await self._is_stored() else None

    async def _ask(self, limits: Limits) -> None:
        """Record, and send silence meanwhile: a network may end a call in which no RTP comes."""
        await let_go(self._client.channels.start_silence(self._line.id))  # no message is refused for that
        await self._client.channels.record(
            self._line.id,
            self._name,
            max_duration_seconds=limits.seconds,
            max_silence_seconds=limits.silence,
            terminate_on=END_KEY,
        )

    async def _ends_within(self, seconds: float) -> bool:
        ends: set[asyncio.Future[Any]] = {self._over, self._line.ended}
        done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def _end(self, limits: Limits, seconds: float) -> Recorded:
        """Wait for it, at most so long; how and when it ended."""
        if not await self._ends_within(seconds):
            await let_go(self._client.recordings.stop(self._name))
        ends: set[asyncio.Future[Any]] = {self._over, self._line.ended}
        done, _ = await asyncio.wait(ends, timeout=TOGETHER_SECONDS)
        instants = [end.result().at for end in done]
        return Recorded(self._how(limits), min(instants, default=datetime.now(UTC)))

    def _how(self, limits: Limits) -> How:
        if self._line.ended.done():
            return How.HANGUP
        told = self._over.result() if self._over.done() else None
        match told:
            case RecordingFailed():
                log.warning("recording_failed", why=told.recording.why)
                return How.FAILED
            case _ if self._line.last_key == END_KEY:
                return How.KEY
            case RecordingFinished() if (told.recording.seconds or 0) < limits.seconds:
                return How.SILENCE
            case _:
                return How.LIMIT

    async def _is_live(self) -> bool:
        try:
            await self._client.recordings.get_live(self._name)
        except Gone:
            return False
        return True

    async def _is_stored(self) -> bool:
        try:
            await self._client.recordings.get_stored(self._name)
        except Gone:
            return False
        return True
