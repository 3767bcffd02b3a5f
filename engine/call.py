"""One call: the caller's line, the terms of the number, and the journal whose fold is the call's state."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dialplan.delivery import Delivery
from dialplan.prompt import Prompt
from dialplan.result import Answer, Choice, Outcome, counted, together
from dialplan.step import Draw, Sort, StepModel, Turn
from engine.call_journal import CallJournal, CallServices
from engine.call_limits import step_key
from engine.call_terms import CallTerms
from engine.causes import Cause
from engine.line import Connect, How, Line, Recorded, Returned
from engine.notice import CallerNotice, Refusal
from engine.recorder_terms import recorder_terms
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallerNotified,
    DestinationLeftOut,
    Entry,
    HandedOver,
    LegEnded,
    LegStarted,
    MessageEnded,
    MessageStarted,
    NoticeResult,
    StepPerformed,
    Turned,
)
from journal.ids import message_id, recording_id, undialled_leg_id
from journal.state import CallState


@dataclass(frozen=True, slots=True)
class Call:
    """What the steps of a route act on. Its only state is the fold of its journal."""

    line: Line
    terms: CallTerms
    journal: CallJournal

    @property
    def state(self) -> CallState:
        return self.journal.state

    @property
    def services(self) -> CallServices:
        return self.journal.services

    @property
    def limit(self) -> timedelta:
        """How long the conversation may last."""
        return min(timedelta(minutes=self.terms.number.max_minutes), self.terms.longest)

    @property
    def message_id(self) -> str:
        """The id of the message that the caller leaves, if any; its file has this name too."""
        return message_id(self.line.call_id)

    @property
    def recording_id(self) -> str:
        """The id of the recording of the conversation, if any; the names of its files begin with it."""
        return recording_id(self.line.call_id)

    @property
    def delivery(self) -> Delivery:
        """How a message of this call reaches the owner, and which keys the caller pressed before."""
        return self.terms.number.delivery(self.terms.owner, self.state.keys, self.state.language)

    def prompt(self, name: str) -> tuple[Prompt | None, str]:
        """Return the prompt of this name that the caller hears, and its language."""
        language, owner = self.state.language, self.terms.owner.language
        prompt_in = self.terms.prompt_in if language else None
        if prompt_in and (prompt := prompt_in(name, language)):
            return prompt, language
        return self.terms.prompt(name), owner

    def turned(self, turn: Turn) -> None:
        self._append(Turned(self._id, turn.step, turn.why, now(), turn.language))

    def performed(self, step: StepModel | Draw, answer: Answer) -> None:
        outcome, choice = (Outcome.DONE, str(answer)) if isinstance(answer, Choice) else (answer, "")
        self._append(StepPerformed(self._id, step.step, outcome, step.path, now(), choice))

    def draw(self, draw: Draw) -> Choice:
        """Count this call at a step of the number's route, or sort the destinations of the step."""
        if isinstance(draw, Sort):
            return draw.answered(self.services.sort(draw, self.state))
        before = self.services.count(step_key(self.terms.number.number, draw.path))
        return counted(before % draw.size + 1)

    def enter(self, step: StepModel, most: int) -> bool:
        """Return whether the call is within the limit of this step: at most so many calls at once."""
        return self.services.enter(step_key(self.terms.number.number, step.path), self._id, most)

    async def answer(self, to: str) -> None:
        """Answer the caller, unless they are answered. Once that is on the disk, the caller's bill begins.

        An earlier engine may have answered, and died before it noted for what.
        """
        at = self.state.answered
        if at is None:
            await self.journal.written()
            at = await self.line.answer()
        elif self.state.answered_to != BY_ENGINE:
            return
        await self._append(Answered(self._id, at, to))

    def message_begins(self, at: datetime) -> Awaitable[None]:
        """Once this is on the disk there is a message, whatever happens to call, engine and Asterisk."""
        return self._append(MessageStarted(self._id, at, self.message_id, self.delivery.as_json()))

    def message_ended(self, recorded: Recorded) -> Awaitable[None]:
        return self._append(MessageEnded(self._id, recorded.at, self.message_id, recorded.how.value))

    @property
    def message_recorded(self) -> Recorded | None:
        """How the message ended; None if it has not."""
        message = self.state.message
        if message is None or message.ended is None or message.how is None:
            return None
        return Recorded(How(message.how), message.ended)

    def caller_notified(self, notice: CallerNotice) -> Awaitable[None]:
        """Note the evidence that the caller heard that the call is recorded, or was asked."""
        result: NoticeResult = "refused" if isinstance(notice, Refusal) else "heard"
        return self._append(CallerNotified(self._id, notice.ended, result, **notice.as_fields()))

    def caller_not_notified(self, result: NoticeResult, why: str) -> Awaitable[None]:
        """Note why the call is not recorded. `result`: failed, or skipped if it was not even tried."""
        policy = self.terms.number.record.value
        return self._append(CallerNotified(self._id, now(), result, policy, why))

    def hand_over(self, connect: Connect) -> Awaitable[None]:
        """Note that from now on the call may ring and talk without an engine."""
        to = tuple(destination.number for destination in connect.to)
        owner, policy, recorder = self.terms.owner, self.terms.number.record, connect.recorder
        terms = recorder_terms(owner, policy, recorder) if recorder else None
        return self._append(HandedOver(self._id, now(), to, connect.seconds, terms))

    def tried(self, connect: Connect, returned: Returned) -> Outcome:
        """Return the outcome of a ring that nobody took. A destination without a leg could not be dialled."""
        outcomes = [attempt.outcome for attempt in returned.attempts]
        for attempt in returned.attempts:
            if in_a_row := self.services.attempted(attempt.to, attempt.outcome):
                self._left_out(attempt.to, in_a_row)
        dialled = {attempt.to for attempt in returned.attempts}
        for place, to in enumerate(destination.number for destination in connect.to):
            if to not in dialled:
                leg, cause = undialled_leg_id(self._id, connect.number, place), Cause.NETWORK_OUT_OF_ORDER
                self._append(LegStarted(self._id, returned.at, leg, to))
                self._append(LegEnded(self._id, returned.at, leg, Outcome.FAILED, cause))
                outcomes.append(Outcome.FAILED)
        return together(outcomes)

    def _left_out(self, to: str, in_a_row: int) -> None:
        """Note that calls leave this destination out from now on, and where the mail about it goes."""
        owner = self.terms.owner
        mailed = owner.unreachable == "mail" and owner.mail and self.services.may_report(to)
        deliver = self.terms.number.delivery(owner, (to, str(in_a_row))).as_json() if mailed else None
        self._append(DestinationLeftOut(self._id, now(), to, in_a_row, deliver))

    @property
    def talk_left(self) -> timedelta:
        """The limit, less the time since the caller was answered, if they were."""
        answered = self.state.answered
        return self.limit - (self.state.lasted(answered, now()) if answered else timedelta(0))

    @property
    def _id(self) -> str:
        return self.line.call_id

    def _append(self, entry: Entry) -> Awaitable[None]:
        return self.journal.append(entry)


def now() -> datetime:
    """Our clock, which agrees with Asterisk's (engine.checks)."""
    return datetime.now(UTC)
