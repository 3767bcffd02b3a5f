"""What a call needs of telephony: the caller's line and its outgoing legs. `engine.ari` has it, and fakes do.

Every awaitable of a line or leg raises `HungUp` when that leg is gone. Whatever is opened is opened with
`async with` and let go on every way out, unless the engine is detaching for its successor.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dialplan.caller import Caller
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result
from dialplan.steps import Destination
from engine.notice import Announcement, Informed, Notice, Refusal
from engine.served import Served

# How long a caller may think about whether he wants to be recorded.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a leg ended: when (Asterisk's clock, UTC), its Q.850 cause, and that cause as an outcome."""

    at: datetime
    cause: int
    outcome: Outcome
    lost: bool = False  # nobody saw it end: Asterisk itself went away


class AnyLeg(Protocol):
    """The caller's leg or a destination's."""

    @property
    def id(self) -> str: ...


class HungUp(Exception):
    """A leg has ended."""

    def __init__(self, leg: AnyLeg, ended: Ended) -> None:
        super().__init__(leg.id)
        self.leg = leg
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


class Party(StrEnum):
    """Who of a conversation."""

    CALLER = "caller"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was pressed. It is in no `repr`, so that no log can show it."""

    by: Party
    digit: str = field(repr=False)
    at: datetime


class Tape(Protocol):
    """A conversation being recorded: what the caller says in one file, what he hears in another."""

    @property
    def ended(self) -> datetime | None:
        """When it ended; None before that, and of one that is left to the next engine."""

    async def place(self) -> datetime:
        """Get ready, and tell when that was; nothing is recorded yet."""

    async def start(self) -> None:
        """Record from now on. Where an earlier engine has begun, record on."""

    async def mute(self) -> datetime:
        """From the instant returned, until `unmute`, silence is recorded: nothing else reaches the disk.

        Never twice: Asterisk takes the second one back.
        """

    async def unmute(self) -> datetime:
        """Record what is said again, from the instant returned."""

    async def key(self, seconds: float | None) -> Key | None:
        """The next key that either presses; None after `seconds`. Raises TapeEnded."""

    async def stop(self) -> None:
        """End it, unless it has ended or is left to the next engine."""


class TapeEnded(Exception):
    """Nothing is recorded any more: the caller has gone, or Asterisk could not go on."""


class Talk(Protocol):
    """Caller and destination in one bridge."""

    async def over(self, seconds: float) -> Ended | None:
        """Wait for the destination to hang up; None after `seconds`. The caller's end is `HungUp`."""


class Leg(Protocol):
    """A leg towards a destination that has answered."""

    @property
    def id(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def answered(self) -> datetime: ...
    async def announce_recording(self, announcement: Announcement) -> Informed | None:
        """Tell who has answered, alone, that he will be recorded; None if it failed.

        The caller hears a telephone ring meanwhile. The end of either leg is `HungUp`.
        """

    def talking(self, lease: float) -> AbstractAsyncContextManager[Talk]:
        """Bridge it with the caller; should the engine be gone, Asterisk ends the call `lease` seconds on."""


class LegWitness(Protocol):
    """Who is told what happens to each attempt, at the instant of Asterisk's clock."""

    def dialled(self, leg_id: str, to: str, at: datetime) -> None: ...
    def rang(self, leg_id: str, at: datetime) -> None: ...
    def leg_answered(self, leg_id: str, at: datetime) -> None: ...
    def leg_ended(self, leg_id: str, ended: Ended) -> None: ...


class Ringing(Protocol):
    """Legs being rung at once."""

    async def first_answer(self) -> Leg | Outcome:
        """Wait for the first to answer (the others are let go at once), or for what came of them all."""


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
        """Play a prompt to its end, and tell when that was; None if it failed. Unanswered: as early media."""

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
        """Tell the caller that he will be recorded; where he is asked, wait for his key. None if it failed.

        The answer counts once he has heard the whole question: a key pressed before is taken then.
        """

    def recording(self, notice: Notice, informed: Informed, audio_id: str) -> AbstractContextManager[Tape]:
        """A tape for a conversation of which both know, or the one that an earlier engine records on."""

    def ringing(
        self, to: Sequence[Destination], seconds: int, witness: LegWitness
    ) -> AbstractAsyncContextManager[Ringing]:
        """Ring all of these at once, for so many seconds."""

    async def served(self, ended: Ended) -> Served | None:
        """What Asterisk did with a caller who left us so, and was not answered: its lease may have run out.

        Then it dials the number's fallback, by itself; waited for until that is over. None: he hung up.
        """

    async def hang_up(self, result: Result) -> Ended:
        """End the call with the SIP answer that says what came of it; never raises HungUp."""

    async def turn_away(self) -> Ended:
        """End a call to a number that is not ours (404)."""
