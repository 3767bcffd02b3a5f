"""Dial() without Asterisk: destinations that answer or refuse when they are expected to."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.call_journal import CallJournal
from engine.line import Attempt, Ended, HungUp, Recorder, Returned
from journal.entries import (
    Answered,
    EndedBy,
    Entry,
    LegAnswered,
    LegAsked,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    PartyNotified,
    RecordingEnded,
    RecordingStarted,
)
from journal.ids import leg_id_of

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


CAUSES = {Outcome.BUSY: 17, Outcome.NO_ANSWER: 19, Outcome.REJECTED: 21, Outcome.UNREACHABLE: 1}


def now() -> datetime:
    """Asterisk's clock: the loop's, which jumps."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass(frozen=True)
class Answers:
    """A destination that answers after so many seconds and hangs up after so many more.

    `leaves`: or so soon after it has answered, if it hears meanwhile that the call is recorded.
    `presses`: whether it presses 1 when it is asked.
    """

    after: float = 2
    talks: float = 60
    leaves: float | None = None
    presses: bool = True


@dataclass(frozen=True)
class Says:
    """A destination of which only an outcome comes. `refused`: of its network."""

    outcome: Outcome
    after: float = 1
    refused: bool = False


class CallerLine(Protocol):
    """What Dial() needs of the caller's line."""

    call_id: str
    id: str
    legs: int
    heard: list[str]
    unplayable_to_destinations: frozenset[str]
    gone: asyncio.Future[Ended]
    journal: CallJournal

    def leave(self, by: EndedBy, cause: int) -> None: ...


@dataclass
class FakeDial:
    """Dial() of one ring, and the entries that the ledger makes of what CEL says about it.

    Destinations ring from the first moment, unless all they will say is an outcome.
    """

    line: CallerLine
    to: dict[str, Answers | Says | None]
    seconds: int
    limit: int
    number: int = 0
    recorder: Recorder | None = None
    asked: frozenset[str] = frozenset()
    delays: dict[str, int] = field(default_factory=dict)
    whispers: dict[str, Prompt] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)  # of the legs that have not ended
    attempts: list[Attempt] = field(default_factory=list)
    connected: bool = False
    recording: bool = False

    def __post_init__(self) -> None:
        self.began = now()

    async def run(self) -> Returned | None:
        """Until nobody takes the call; None when the caller's channel has ended."""
        self.line.heard.append("ringing")
        for number, does in self.to.items():
            if does is not None:
                self._dial(number, does)
        try:
            taken = await self._first_answer()
            if taken is not None and self._confirms(*taken) and await self._hears_of_it(*taken):
                await self._talk(*taken)
        except HungUp as caller:
            if not caller.ended.lost:
                self._end_legs(16)
            return None
        return Returned(self.number, tuple(self.attempts), now())

    def _dial(self, number: str, does: Answers | Says) -> None:
        self.line.legs += 1
        leg = self.ids[number] = leg_id_of(self._call, f"fake.{self.line.legs}")
        self._append(LegStarted(self._call, now(), leg, number))
        if isinstance(does, Answers):
            self._append(LegRang(self._call, now(), leg))

    async def _first_answer(self) -> tuple[str, Answers] | None:
        dialled = [(number, does) for number, does in self.to.items() if does is not None]
        after = {number: does.after + self.delays.get(number, 0) for number, does in dialled}
        for number, does in sorted(dialled, key=lambda it: after[it[0]]):
            due = self.began + timedelta(seconds=min(after[number], self.seconds))
            await self._until(max((due - now()).total_seconds(), 0))
            if isinstance(does, Answers) and after[number] < self.seconds:
                self._append(LegAnswered(self._call, now(), self.ids[number]))
                if len(dialled) > 1 and number in self.asked and not does.presses:  # the others ring on
                    self._confirms(number, does)
                    continue
                self._end_legs(26, besides=number)
                return number, does
            outcome = does.outcome if isinstance(does, Says) else Outcome.NO_ANSWER
            self._ended(
                number, outcome, CAUSES.get(outcome, 127), refused=isinstance(does, Says) and does.refused
            )
        return None

    def _confirms(self, number: str, does: Answers) -> bool:
        """Whether the destination takes the call, if it is asked to press 1."""
        if prompt := self.whispers.get(number):
            self.line.heard.append(f"{number} hears {prompt.name}")
        if number not in self.asked:
            return True
        leg = self.ids[number]
        self._append(LegAsked(self._call, now(), leg, "key" if does.presses else "no_key"))
        if not does.presses:
            self._ended(number, Outcome.NO_ANSWER, 19)
        return does.presses

    async def _hears_of_it(self, number: str, does: Answers) -> bool:
        """Whether the destination, which may hear that it will be recorded, still takes the call."""
        if self.recorder is None:
            return True
        leg, prompt, began = self.ids[number], self.recorder.prompt, now()
        if prompt is None:
            self._append(PartyNotified(self._call, now(), leg, "known"))
        else:
            self.line.heard.append(f"{number} hears {prompt.name}")
            if does.leaves is not None and does.leaves < prompt.seconds:
                await self._until(does.leaves)
                self._append(PartyNotified(self._call, now(), leg, "left", began=began, ended=now()))
                self._ended(number, Outcome.REJECTED, 16)
                return False
            await self._until(prompt.seconds)
            if prompt.name in self.line.unplayable_to_destinations:
                self._append(PartyNotified(self._call, now(), leg, "failed", began=began, ended=now()))
                return True
            self._append(PartyNotified(self._call, now(), leg, "heard", began=began, ended=now()))
        self._record(self.recorder, leg)
        return True

    def _record(self, recorder: Recorder, leg: str) -> None:
        self.recording = True
        self.line.heard.append(f"recording as {recorder.audio_id}")
        self._append(RecordingStarted(self._call, now(), recorder.audio_id, 0, "wav", leg))

    async def _talk(self, number: str, does: Answers) -> None:
        """Raises HungUp at its end, whoever ended it."""
        self.connected = True
        if self.line.journal.state.answered is None:
            self.line.heard.append("answered")
            self._append(Answered(self._call, now()))
        self._append(LegConnected(self._call, now(), self.ids[number]))
        self.line.heard.append(f"talking to {number}")
        await self._until(min(does.talks, self.limit))
        self.line.leave("destination" if does.talks <= self.limit else "limit", 16)
        await self._until(0)

    def _end_legs(self, cause: int, besides: str = "") -> None:
        """End what is left of the legs; the one that is connected has taken the call."""
        if self.recording and self.recorder is not None:
            self._append(RecordingEnded(self._call, now(), self.recorder.audio_id))
        for number in [number for number in self.ids if number != besides]:
            self._ended(number, Outcome.TAKEN if self.connected else Outcome.NO_ANSWER, cause)

    def _ended(self, number: str, outcome: Outcome, cause: int, *, refused: bool = False) -> None:
        leg = self.ids.pop(number)
        self.attempts.append(Attempt(leg, number, outcome, cause, 0, refused))
        self._append(LegEnded(self._call, now(), leg, outcome, cause))

    async def _until(self, seconds: float) -> None:
        await asyncio.wait({self.line.gone}, timeout=seconds)
        if self.line.gone.done():
            raise HungUp(self.line.id, self.line.gone.result())

    @property
    def _call(self) -> str:
        return self.line.call_id

    def _append(self, entry: Entry) -> None:
        self.line.journal.append(entry)
