"""What a call needs of telephony: the caller's line. `engine.ari` has it, and fakes do.

Every awaitable of a line raises `HungUp` when the caller is gone. Whatever is opened is released on every way
out, unless the engine is detaching for its successor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dialplan.caller import Caller
from dialplan.destination import Destination
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result
from engine.notice import Announcement, Notice, Refusal

# How long a caller may think about whether the call may be recorded.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How the caller's leg ended: when (Asterisk's clock, UTC) and its Q.850 cause.

    `lost`: nobody saw it end, because Asterisk itself ended; `at` is then the last instant it was known.
    """

    at: datetime
    cause: int
    lost: bool = False


class HungUp(Exception):
    """The caller's leg has ended."""

    def __init__(self, leg_id: str, ended: Ended) -> None:
        super().__init__(leg_id)
        self.ended = ended


class How(StrEnum):
    """What ended a message."""

    HANGUP = "hangup"
    KEY = "key"
    SILENCE = "silence"
    LIMIT = "limit"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a message by itself: so many seconds of it, so many of silence."""

    seconds: int
    silence: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a message ended, and when (Asterisk's clock, UTC)."""

    how: How
    at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the caller pressed. It is in no `repr`, so that no log can show it."""

    digit: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorder:
    """How the conversation is recorded, once the destination knows of it too.

    `audio_id` names the files. `prompt`: what the destination hears first; None where it has agreed once and
    for all. `caller_may_stop`: *9 ends the recording.
    """

    audio_id: str
    prompt: Prompt | None
    caller_may_stop: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """A ring to be handed over to Asterisk: the `number`-th of its call, from 1.

    `seconds`: how long it rings; `limit`: how long they may talk, in seconds. `answered`: the caller has been
    answered before, and hears ringing as sound. `recorder`: None where nothing is recorded. `music`: what the
    caller hears instead of ringing.
    """

    number: int
    to: Sequence[Destination]
    seconds: int
    limit: int
    answered: bool = False
    recorder: Recorder | None = None
    music: Prompt | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of a leg that did not take the call. `cause`: Q.850; `sip`: its last SIP status or 0."""

    leg: str
    to: str
    outcome: Outcome
    cause: int
    sip: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A caller whom nobody took: back from the `number`-th ring of the call, with what came of each leg.

    A destination that could not be dialled at all has no leg.
    """

    number: int
    attempts: tuple[Attempt, ...]
    at: datetime


class Line(Protocol):
    """The caller's leg."""

    @property
    def id(self) -> str: ...
    @property
    def call_id(self) -> str: ...
    @property
    def dialled(self) -> str: ...
    @property
    def caller(self) -> Caller: ...
    @property
    def entered(self) -> datetime: ...
    async def play(self, prompt: Prompt) -> datetime | None:
        """Play a prompt to its end, and return when that was; None if it failed. Unanswered: early media."""

    async def ask(self, prompt: Prompt | None, seconds: float) -> Key | None:
        """Play a prompt until the caller presses a key, or wait for one so many seconds after its end.

        Keys pressed before, that nobody asked for yet, are taken first. None: no key was pressed.
        """

    def forget_keys(self) -> None:
        """The keys that were pressed so far, and that nobody asked for, mean nothing."""

    async def wait(self, seconds: float, music: Prompt | None) -> None:
        """Let the caller hear ringing, or the music again and again, for so long. Unanswered: early media."""

    async def answer(self) -> datetime:
        """Answer the caller: the caller's charging starts here, at the instant returned."""

    async def record(self, name: str, limits: Limits, warning: Prompt | None) -> Recorded:
        """Record what the caller says, until a hang-up, a `#`, or a limit.

        The hang-up is its usual end: HungUp is not raised. `warning` tells the caller, and nobody else, that
        the limit is near.
        """

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        """Wait for the end of a recording that an earlier engine began; None where there is none."""

    async def announce_recording(self, announcement: Announcement) -> Notice | Refusal | None:
        """Tell the caller that the call will be recorded; where asked, wait for a key. None if it failed.

        The answer counts once the caller has heard the whole question: a key pressed before is taken then.
        """

    async def connect(self, connect: Connect) -> Returned:
        """Hand the caller over to Asterisk, which rings, connects and lets them talk without the engine.

        Returns when nobody took the call. The end of a conversation is HungUp, whoever ended it.
        """

    async def connecting(self, connect: Connect) -> Returned:
        """The same for a ring that an earlier engine has handed over, or was about to."""

    async def hang_up(self, result: Result) -> Ended:
        """End the call with the SIP answer that says what came of it; never raises HungUp."""

    async def turn_away(self) -> Ended:
        """End a call to a number that is not ours (404)."""

    async def over(self) -> Ended:
        """Wait until nothing of the call is left in Asterisk, and the journal has all of it.

        A caller who has left the engine may still be talking: at the number's fallback.
        """
