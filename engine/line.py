"""What a call needs of telephony: the caller's line. Implemented by `engine.ari`, and by fakes in tests.

Every awaitable of a line raises `HungUp` when the caller leaves. Everything that a verb opens is closed
however the verb ends, except when the engine detaches for its successor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from dialplan.caller import Caller
from dialplan.destination import Destination
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result
from engine.notice import Acceptance, Announcement, Refusal

NOTHING: Mapping[str, Prompt] = MappingProxyType({})
# How long the caller may take to answer whether the call may be recorded.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How the caller's leg ended: when (Asterisk's clock, UTC) and its Q.850 cause.

    `lost`: its end was not seen, because Asterisk itself ended; `at` is then the last known instant.
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
    """After how many seconds a message ends, and after how many seconds of silence."""

    seconds: int
    silence: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a message ended, and when (Asterisk's clock, UTC)."""

    how: How
    at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the caller pressed. It is in no `repr`, so that no log can contain it."""

    digit: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorder:
    """How the conversation is recorded, once the destination has been notified too.

    `audio_id`: beginning of the file names. `prompt`: what the destination hears first; None if it agreed
    once and for all. `caller_may_stop`: the keys *9 end the recording.
    """

    audio_id: str
    prompt: Prompt | None
    caller_may_stop: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """A ring that is handed over to Asterisk: the `number`-th of its call, from 1.

    `seconds`: how long it rings; `limit`: how long the parties may talk, in seconds. `answered`: the caller
    was answered before, and hears ringing as audio. `recorder`: None if the conversation is not recorded.
    `music`: what the caller hears instead of ringing. `whispers`: what a destination hears first, by its
    number. `question`: the request to press 1, for the destinations with `confirm`.
    """

    number: int
    to: Sequence[Destination]
    seconds: int
    limit: int
    answered: bool = False
    recorder: Recorder | None = None
    music: Prompt | None = None
    whispers: Mapping[str, Prompt] = NOTHING
    question: Prompt | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of a leg that did not take the call. `cause`: Q.850; `sip`: its last SIP status or 0.

    `refused`: its network refused the call before it rang: perhaps because of the number that was shown.
    """

    leg: str
    to: str
    outcome: Outcome
    cause: int
    sip: int
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """A caller who is back from the `number`-th ring of the call, which nobody took; and the end of each leg.

    A destination that could not be dialled has no leg.
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
    @property
    def trunk(self) -> str: ...
    async def play(self, prompt: Prompt) -> datetime | None:
        """Play a prompt; return when it ended, or None if it failed. Unanswered, it is early media."""

    async def ask(self, prompt: Prompt | None, seconds: float) -> Key | None:
        """Play a prompt until the caller presses a key, and wait for one so many seconds after its end.

        Return the key; None if there was none. A key that was pressed before and not read yet counts.
        """

    def forget_keys(self) -> None:
        """Drop the keys that were pressed so far and not read yet."""

    async def wait(self, seconds: float, music: Prompt | None) -> None:
        """Let the caller hear ringing, or the music again and again, for so long. Unanswered: early media."""

    async def answer(self) -> datetime:
        """Answer the caller, and return the instant at which the caller's charging begins."""

    async def record(
        self, name: str, limits: Limits, beep: Prompt | None, warning: Prompt | None
    ) -> Recorded:
        """Play the beep and record what the caller says, until a hang-up, the key `#`, or a limit.

        A caller who has heard the beep is recorded, even if the engine dies during it. A hang-up is the usual
        end; HungUp is raised if the caller leaves before the recording begins. Only the caller hears
        `warning`, before a limit.
        """

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        """Wait for the end of a recording that an earlier engine began; return None if there is none.

        Raises HungUp if there is none and the caller has left.
        """

    async def announce_recording(self, announcement: Announcement) -> Acceptance | Refusal | None:
        """Announce to the caller that the call is recorded; if asked, wait for a key. None if that failed.

        The answer counts once the caller has heard the whole question: a key pressed during it is read then.
        """

    async def connect(self, connect: Connect) -> Returned:
        """Hand the caller over to Asterisk, which rings, connects and lets them talk without the engine.

        Returns if nobody took the call. The end of a conversation raises HungUp, whichever party ended it.
        """

    async def connecting(self, connect: Connect) -> Returned:
        """The same for a ring that an earlier engine handed over, or was about to."""

    async def hang_up(self, result: Result) -> Ended:
        """End the call with the SIP answer for its result. Never raises HungUp."""

    async def turn_away(self) -> Ended:
        """End a call to a number that is not in the routing (404)."""

    async def over(self) -> Ended:
        """Wait until nothing is left of the call in Asterisk, and all of it is in the journal.

        A caller who has left the engine may still be talking: at the number's fallback.
        """
