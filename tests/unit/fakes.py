"""A telephone line without a telephone: destinations answer as told, what the caller heard is a list.

Held to the same suite as the real line (tests/live/test_line.py).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dialplan.caller import Caller, Presentation
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result, together
from dialplan.steps import Destination
from engine.call import Agreement
from engine.line import (
    ANSWER_SECONDS,
    Ended,
    How,
    HungUp,
    Key,
    LegWitness,
    Limits,
    Party,
    Recorded,
    TapeEnded,
)
from engine.notice import ANSWER_KEY, Announcement, Informed, Notice, Refusal
from engine.served import Served
from journal.entries import Entry

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CALLER = Caller(Presentation.SHOWN, "+3225551234")
CAUSES = {Outcome.BUSY: 17, Outcome.NO_ANSWER: 19, Outcome.REJECTED: 21, Outcome.UNREACHABLE: 1}
FAREWELLS = {
    Result.CLOSED: 19,
    Result.NO_ANSWER: 19,
    Result.BUSY: 17,
    Result.UNREACHABLE: 34,
    Result.REJECTED: 21,
    Result.FAILED: 38,
}


def now() -> datetime:
    """Asterisk's clock: the loop's, which jumps."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass(frozen=True)
class Answers:
    """A destination that answers after so many seconds and hangs up after so many more.

    `leaves`: or so soon after it has answered, if it is told meanwhile that it will be recorded.
    """

    after: float = 2
    talks: float = 60
    leaves: float | None = None


@dataclass(frozen=True)
class Says:
    """A destination of which only an outcome comes."""

    outcome: Outcome
    after: float = 1


@dataclass(frozen=True)
class FakeLeg:
    """A destination that has answered."""

    id: str
    to: str
    answered: datetime
    talks: float
    line: "FakeLine"
    leaves: float | None = None
    left: Callable[[Ended], None] = lambda _ended: None

    async def announce_recording(self, announcement: Announcement) -> Informed | None:
        self.line._alive()
        prompt, began = announcement.prompt, now()
        self.line.heard.append(f"{self.to} hears {prompt.name}")
        if self.leaves is not None and self.leaves < prompt.seconds:
            await self.line._until(self.leaves)
            ended = Ended(now(), 16, Outcome.REJECTED)
            self.left(ended)
            raise HungUp(self, ended)
        await self.line._until(prompt.seconds)
        if prompt.name in self.line.unplayable_to_destinations:
            return None
        return Informed(self.id, announcement.told(began, now()))

    @asynccontextmanager
    async def talking(self, lease: float) -> AsyncIterator["FakeTalk"]:
        self.line._alive()
        self.line.heard.append(f"talking to {self.to}")
        yield FakeTalk(self.line, self)


@dataclass
class FakeLine:
    """The caller: hangs up so many seconds after the call came in, or never.

    `message`: what ends the caller's message, and after how many seconds; `left_by_another`: what is found of
    one that an earlier engine began; `lost`: Asterisk goes away instead of the caller. `presses`: keys, by
    whom, and how many seconds after the call came in; `unrecordable`: no recording can begin; `deaf_after`:
    so many seconds on, one ends by itself.
    """

    destinations: dict[str, Answers | Says] = field(default_factory=dict)
    hangs_up_after: float | None = None
    caller: Caller = CALLER
    dialled: str = "+3270012345"
    call_id: str = "0199-call"
    id: str = "asterisk-1"
    breaks_on: str = ""
    message: tuple[How, float] = (How.HANGUP, 6)
    unplayable: frozenset[str] = frozenset()
    unplayable_to_destinations: frozenset[str] = frozenset()
    left_by_another: Recorded | None = None
    lost: bool = False
    presses: Sequence[tuple[float, Party, str]] = ()
    unrecordable: bool = False
    deaf_after: float | None = None
    served_alone: Served | None = None
    heard: list[str] = field(default_factory=list)
    entered: datetime = START
    legs: int = 0
    detached: bool = False

    def __post_init__(self) -> None:
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.entered = now()
        self.keys: asyncio.Queue[Key] = asyncio.Queue()
        for after, by, digits in self.presses:
            asyncio.get_running_loop().call_later(after, self._press, by, digits)
        if self.hangs_up_after is not None:
            asyncio.get_running_loop().call_later(self.hangs_up_after, self._end, 16)

    def _press(self, by: Party, digits: str) -> None:
        for digit in digits:
            self.keys.put_nowait(Key(by, digit, now()))

    def _end(self, cause: int) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(now(), cause, Outcome.DONE, self.lost))

    async def _until(self, seconds: float) -> None:
        await asyncio.wait({self.ended}, timeout=seconds)
        self._alive()

    def _alive(self) -> None:
        if self.ended.done():
            raise HungUp(self, self.ended.result())

    async def play(self, prompt: Prompt) -> datetime | None:
        self._alive()
        if prompt.name == self.breaks_on:
            raise ValueError("a bug in a step")
        self.heard.append(prompt.name)
        await self._until(prompt.seconds)
        return None if prompt.name in self.unplayable else now()

    async def announce_recording(self, announcement: Announcement) -> Notice | Refusal | None:
        began = now()
        if await self.play(announcement.prompt) is None:
            return None
        ended, pressed = now(), False
        if announcement.policy.asks:
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    while not pressed:
                        key = await self.keys.get()
                        pressed = (key.by, key.digit) == (Party.CALLER, ANSWER_KEY)
            self._alive()
        return announcement.heard(began, ended, pressed=pressed)

    @contextmanager
    def recording(self, notice: Notice, informed: Informed, audio_id: str) -> Iterator["FakeTape"]:
        yield FakeTape(self, audio_id)

    async def answer(self) -> datetime:
        self._alive()
        self.heard.append("answered")
        return now()

    async def record(self, name: str, limits: Limits, warning: Prompt | None) -> Recorded:
        how, after = self.message
        self.heard.append(f"recorded as {name}, at most {limits.seconds} s")
        await asyncio.wait({self.ended}, timeout=after)
        if how is How.HANGUP:
            self._end(16)
        return Recorded(How.HANGUP if self.ended.done() else how, now())

    async def rejoin(self, name: str, limits: Limits) -> Recorded | None:
        self.heard.append(f"looked for {name}")
        return self.left_by_another

    @asynccontextmanager
    async def ringing(
        self, to: Sequence[Destination], seconds: int, witness: LegWitness
    ) -> AsyncIterator["FakeRinging"]:
        self._alive()
        self.heard.append("ringing")
        ringing = FakeRinging(self, to, seconds, witness)
        try:
            yield ringing
        finally:
            if not self.detached:  # else the telephones ring on, for the next engine
                ringing.close()
                self.heard.append("let go")

    async def served(self, ended: Ended) -> Served | None:
        return self.served_alone

    async def hang_up(self, result: Result) -> Ended:
        self.heard.append(f"hung up: {result}")
        self._end(FAREWELLS.get(result, 16))
        return self.ended.result()

    async def turn_away(self) -> Ended:
        self.heard.append("no such number")
        self._end(1)
        return self.ended.result()


class FakeRinging:
    """Destinations that ring from the first moment, unless all they will say is an outcome."""

    def __init__(self, line: FakeLine, to: Sequence[Destination], seconds: int, witness: LegWitness) -> None:
        self._line = line
        self._seconds = seconds
        self._witness = witness
        self._began = asyncio.get_running_loop().time()
        self._taken = ""
        self._ids = {one.number: self._dial(one.number) for one in to}

    def _dial(self, number: str) -> str:
        self._line.legs += 1
        leg_id = f"{self._line.call_id}-b{self._line.legs}"
        self._witness.dialled(leg_id, number, now())
        if isinstance(self._line.destinations[number], Answers):
            self._witness.rang(leg_id, now())
        return leg_id

    async def first_answer(self) -> FakeLeg | Outcome:
        outcomes = []
        for number in sorted(self._ids, key=lambda number: self._line.destinations[number].after):
            what = self._line.destinations[number]
            wait = self._began + min(what.after, self._seconds) - asyncio.get_running_loop().time()
            await self._line._until(max(wait, 0))
            if isinstance(what, Answers) and what.after < self._seconds:
                return self._picked_up(number, what)
            outcome = what.outcome if isinstance(what, Says) else Outcome.NO_ANSWER
            self._ended(number, CAUSES.get(outcome, 127), outcome)
            outcomes.append(outcome)
        return together(outcomes)

    def close(self) -> None:
        """Let go of all that are still there."""
        self._let_go()
        if self._taken:
            self._witness.leg_ended(self._taken, Ended(now(), 16, Outcome.TAKEN))

    def _let_go(self) -> None:
        for number in tuple(self._ids):
            self._ended(number, 16, Outcome.NO_ANSWER)

    def _picked_up(self, number: str, what: Answers) -> FakeLeg:
        self._taken = self._ids.pop(number)
        self._witness.leg_answered(self._taken, now())
        self._let_go()
        return FakeLeg(self._taken, number, now(), what.talks, self._line, what.leaves, self._left)

    def _left(self, ended: Ended) -> None:
        self._witness.leg_ended(self._taken, ended)
        self._taken = ""

    def _ended(self, number: str, cause: int, outcome: Outcome) -> None:
        self._witness.leg_ended(self._ids.pop(number), Ended(now(), cause, outcome))


@dataclass
class FakeTalk:
    line: FakeLine
    leg: FakeLeg

    async def over(self, seconds: float) -> Ended | None:
        await self.line._until(min(self.leg.talks, seconds))
        return Ended(now(), 16, Outcome.DONE) if self.leg.talks <= seconds else None


@dataclass
class FakeTape:
    """A recording of which what would be in it is told with what the caller hears."""

    line: FakeLine
    audio_id: str
    ended: datetime | None = None

    async def place(self) -> datetime:
        self.line._alive()
        return now()

    async def start(self) -> None:
        if self.line.unrecordable:
            raise OSError("no room")
        self.line.heard.append(f"recording as {self.audio_id}")

    async def mute(self) -> datetime:
        self.line.heard.append("muted")
        return now()

    async def unmute(self) -> datetime:
        self.line.heard.append("unmuted")
        return now()

    async def key(self, seconds: float | None) -> Key | None:
        deaf = self.line.deaf_after
        try:
            async with asyncio.timeout(seconds if deaf is None else deaf):
                return await self.line.keys.get()
        except TimeoutError:
            if deaf is not None:
                raise TapeEnded from None
            return None

    async def stop(self) -> None:
        if self.ended is None and not self.line.detached:
            self.ended = now()


@dataclass
class FakeDesk:
    """A desk with one agreement, and a journal that is a list.

    `full`: why it takes no message and no recording.
    """

    agreement: Agreement | None
    node: str = "test1"
    full: str | None = None
    entries: list[Entry] = field(default_factory=list)

    def agreed(self, dialled: str) -> Agreement | None:
        return self.agreement

    async def why_no_message(self) -> str | None:
        return self.full

    async def why_no_recording(self) -> str | None:
        return self.full

    def note(self, entry: Entry) -> Awaitable[None]:
        self.entries.append(entry)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written
