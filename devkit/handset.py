"""One end of one SIP call: what it plays and hears, and what happened when."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from baresip import AudioNotActive, AudioRestarted, Call, Event, StackEvent, StaleHandleError
from baresip.errors import split_status

from devkit.audio import RATE, SILENCE, Samples, level, levels, tone

FRAME = 0.02
# Samples buffered ahead: enough for a late event loop, few enough that a changed tone is heard at once.
AHEAD = round(0.06 * RATE)
# More for a sound that is played to its end: it is compared afterwards, and must have no gaps.
AHEAD_OF_A_SOUND = round(0.5 * RATE)
# How long a telephone waits, in seconds, unless it is told: far longer than anything it waits for takes.
PATIENCE = 20.0
PRESENT = 0.1  # a received tone of 0.3 is above this; A-law noise is below 0.01


class CallOver(Exception):
    """The call ended before the awaited event; `ending` says how."""

    def __init__(self, ending: "Ending") -> None:
        super().__init__(str(ending))
        self.ending = ending


@dataclass(frozen=True)
class Ending:
    """How a call ended: SIP status and text of a refusal, and the Q.850 cause if one was sent."""

    at: datetime
    code: int | None
    reason: str
    by_us: bool
    cause: int | None = None

    def __str__(self) -> str:
        return f"{self.code} {self.reason}" if self.code else self.reason


def ending(at: datetime, text: str, *, by_us: bool) -> Ending:
    """Parse the stack's text: `486 Busy Here`, `480 Temporarily Unavailable,Q.850;cause=19`, or prose."""
    code, reason = split_status(text)
    cause = re.search(r",Q\.850;cause=([0-9]+)", reason)
    return Ending(at, code, reason.partition(",Q.850")[0], by_us, int(cause[1]) if cause else None)


class Handset:
    """One end of one call. Times are of this machine's clock, UTC; None if it has not happened yet."""

    def __init__(self, call: Call, *, number: str) -> None:
        self.number = number
        self.began = datetime.now(UTC)
        self.ringing: datetime | None = None
        self.answered: datetime | None = None
        self.ending: Ending | None = None
        self.keys = ""
        self._call = call
        self._hz: tuple[float, ...] = ()
        self._script = SILENCE
        self._script_size = 0
        self._echoes = False
        self._said = 0
        self._heard: list[Samples] = []
        self._heard_samples = 0
        self._hung_up = False
        self._changed = asyncio.Event()
        self._pump = asyncio.create_task(self._talk(), name=f"handset {call.handle}")

    # Audio.

    def say(self, *hz: float) -> None:
        """Play these tones from now on; none: be silent."""
        self._hz = hz

    def play(self, sound: Samples) -> None:
        """Play this sound once, then continue with the tones."""
        self._script, self._script_size = sound, len(sound)

    @property
    def spoken(self) -> float:
        """How many seconds of the sound of `play` have been played."""
        return max(self._script_size - len(self._script) - self._buffered(), 0) / RATE

    def echo(self) -> None:
        """Echo what is heard."""
        self._echoes = True

    @property
    def heard(self) -> Samples:
        """Everything heard so far, early media included."""
        return np.concatenate([SILENCE, *self._heard])

    @property
    def has_heard(self) -> int:
        """How many samples that is."""
        return self._heard_samples

    def level(self, hz: float, last: float = 0.4) -> float:
        """The level of a tone in the last `last` seconds of what was heard."""
        return level(self._last(round(last * RATE)), hz)

    async def hears(self, hz: float, seconds: float = PATIENCE, *, least: float = PRESENT) -> float:
        """Wait until a tone is heard for 0.2 s, steadily and above `least`; return its level.

        Raises TimeoutError, CallOver.
        """
        return await self._until(lambda: self._present(hz, least), seconds)

    async def wait_said(self, seconds: float = 30) -> None:
        """Wait until the sound of `play` has been played to its end. Raises TimeoutError, CallOver."""
        await self._until(lambda: None if self._is_speaking() else True, seconds)

    async def press(self, keys: str) -> None:
        """Send DTMF keys (RFC 4733 telephone events), 100 ms each."""
        await self._call.send_dtmf(keys)

    async def pressed(self, count: int, seconds: float = PATIENCE) -> str:
        """Wait until the other end has pressed `count` keys; return all keys so far."""
        return await self._until(lambda: self.keys if len(self.keys) >= count else None, seconds)

    # Signalling.

    @property
    def call_id(self) -> str | None:
        """The SIP Call-ID."""
        call_id: str | None = self._call.call_id
        return call_id

    async def wait_ringing(self, seconds: float = PATIENCE) -> datetime:
        """Wait for 180 or 183. Raises TimeoutError, CallOver."""
        return await self._until(lambda: self.ringing or self.answered, seconds)

    async def wait_answered(self, seconds: float = PATIENCE) -> datetime:
        """Wait for the answer. Raises TimeoutError, CallOver."""
        return await self._until(lambda: self.answered, seconds)

    async def wait_ended(self, seconds: float = PATIENCE) -> Ending:
        """Wait for the end of the call, from either side. Raises TimeoutError."""
        return await self._until(lambda: self.ending, seconds)

    async def answer(self) -> None:
        """Answer an incoming call. Do nothing if the caller has just hung up."""
        with suppress(StaleHandleError):
            await self._call.answer()

    async def hang_up(self) -> None:
        """End the call in any state: by CANCEL, by BYE, or by 486 if it rings here."""
        self._hung_up = True
        with suppress(StaleHandleError):
            await self._call.hangup()

    # Events of the stack.

    def handle(self, event: StackEvent) -> None:
        """Handle a stack event of this call."""
        now = datetime.now(UTC)
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS:
                self.ringing = self.ringing or now
            case Event.CALL_ESTABLISHED:
                self.answered = now
            case Event.CALL_DTMF_START:
                self.keys += event.text or ""
            case Event.CALL_CLOSED:
                self.ending = ending(now, event.text or "", by_us=self._hung_up)
        self._changed.set()

    async def close(self) -> None:
        """Hang up if necessary, and stop the audio."""
        if self.ending is None:
            await self.hang_up()
        self._pump.cancel()
        await asyncio.wait([self._pump])

    async def _until[T](self, condition: Callable[[], T | None], seconds: float) -> T:
        async with asyncio.timeout(seconds):
            while (value := condition()) is None:
                if self.ending is not None:
                    raise CallOver(self.ending)
                self._changed.clear()
                await self._changed.wait()
        return value

    def _present(self, hz: float, least: float) -> float | None:
        before, now = [0.0, 0.0, *levels(self._last(RATE // 5), hz)][-2:]
        steady = min(before, now) > max(least, 0.8 * max(before, now))
        return now if steady else None

    def _is_speaking(self) -> bool:
        return len(self._script) > 0 or self._buffered() > 0

    def _buffered(self) -> int:
        """Samples that are not played yet."""
        try:
            return int(self._call.audio.info().tx_buffered) // 2
        except (AudioNotActive, AudioRestarted):
            return AHEAD_OF_A_SOUND

    def _last(self, samples: int) -> Samples:
        """The last `samples` heard, without joining a long call fifty times a second."""
        pieces: list[Samples] = []
        for piece in reversed(self._heard):
            pieces.insert(0, piece)
            if sum(map(len, pieces)) >= samples:
                break
        return np.concatenate([SILENCE, *pieces])[-samples:]

    async def _talk(self) -> None:
        """For every frame: read what has arrived, keep the send buffer filled."""
        while self.ending is None:
            # No media yet, or just renegotiated: the next frame reads the new streams.
            with suppress(AudioNotActive, AudioRestarted):
                self._frame()
            await asyncio.sleep(FRAME)

    def _frame(self) -> None:
        audio = self._call.audio
        if new := audio.read(2 * RATE):
            self._heard.append(np.frombuffer(new, dtype=np.int16))
            self._heard_samples += len(self._heard[-1])
            if self._echoes:
                audio.write(new)
        self._changed.set()
        ahead = AHEAD_OF_A_SOUND if len(self._script) else AHEAD
        missing = ahead - audio.info().tx_buffered // 2
        if missing > 0 and (self._hz or len(self._script)):
            audio.write(self._next(missing).tobytes())

    def _next(self, samples: int) -> Samples:
        spoken, self._script = self._script[:samples], self._script[samples:]
        rest = samples - len(spoken)
        sound = np.concatenate([spoken, tone(self._hz, rest, start=self._said)]) if self._hz else spoken
        self._said += rest
        return sound
