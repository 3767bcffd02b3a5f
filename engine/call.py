"""One call: the caller's line, what was agreed for the number, and the journal whose fold is its state."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from dialplan.caller_list import CallerList
from dialplan.delivery import Delivery
from dialplan.number import Owner, ServiceNumber
from dialplan.prompt import Prompt
from dialplan.result import Answer, Choice, Outcome, counted, together
from dialplan.step import NO_LISTS, Draw, Facts, StepModel, Turn
from engine.call_limits import step_key
from engine.line import Connect, How, Line, Recorded, Recorder, Returned
from engine.notice import Heard, Refusal
from journal.entries import (
    Answered,
    CallerNotified,
    CallStarted,
    Entry,
    HandedOver,
    LegEnded,
    LegStarted,
    MessageEnded,
    MessageStarted,
    RecorderTerms,
    StepPerformed,
    Turned,
)
from journal.ids import message_id, recording_id, undialled_leg_id
from journal.state import CallState

# Q.850 cause of a destination that Asterisk could not dial at all.
NETWORK_OUT_OF_ORDER = 38
NoticeResult = Literal["heard", "refused", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What was agreed for a number when the call came in: a reload does not reach a live call.

    `routing`: the digest of the routing version it stands in; `lists`: the lists of callers of that version.
    """

    number: ServiceNumber
    owner: Owner
    prompt: Callable[[str], Prompt | None]
    longest: timedelta = timedelta(hours=4)
    routing: str = ""
    lists: Mapping[str, CallerList] = NO_LISTS

    def facts(self, line: Line) -> Facts:
        """All that the route may depend on, for the call on this line."""
        return self.number.facts(line.entered, line.caller, self.lists, call_id=line.call_id)


class CallServices(Protocol):
    """What every call shares: the agreements in force, and the journal."""

    @property
    def node(self) -> str: ...
    def terms(self, dialled: str) -> CallTerms | None:
        """The agreement for a dialled number, or None where the number is not ours."""

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        """The agreement of the routing version that a call began under; if it is gone, the one in force."""

    async def why_no_message(self) -> str | None:
        """Why no message can be taken now; None when one can."""

    async def why_no_recording(self) -> str | None:
        """Why no conversation can be recorded now; None when one can."""

    def note(self, entry: Entry) -> Awaitable[None]:
        """Write an entry of the journal; awaiting it waits until it is on the disk."""

    def count(self, key: str) -> int:
        """How often this key has been counted before."""

    def enter(self, key: str, call: str, most: int) -> bool:
        """Count a call in at a step that limits calls; False where there are as many as there may be."""


@dataclass(frozen=True, slots=True)
class CallJournal:
    """The journal of one call: every entry is noted and applied to the call's state, in one step."""

    services: CallServices
    state: CallState
    started: Awaitable[None] | None = None  # None: an earlier engine has noted the start

    async def written(self) -> None:
        """Wait until the start of the call is on the disk: before that nobody is answered."""
        if self.started is not None:
            await self.started

    def note(self, entry: Entry) -> Awaitable[None]:
        """Await the result to wait until the entry is on the disk."""
        self.state.apply(entry)
        return self.services.note(entry)


@dataclass(frozen=True, slots=True)
class Call:
    """What the steps of a route perform on. Its state is the fold of its journal, and nothing else."""

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
        """The message it leaves, if it leaves one, and the file it is recorded to."""
        return message_id(self.line.call_id)

    @property
    def recording_id(self) -> str:
        """The recording of its conversation, if there is one; its files are called so, and what they hold."""
        return recording_id(self.line.call_id)

    @property
    def delivery(self) -> Delivery:
        """How a message of this call reaches the owner, and which keys the caller pressed before."""
        return self.terms.number.delivery(self.terms.owner, self.state.keys)

    def turned(self, turn: Turn) -> None:
        self._note(Turned(self._id, turn.step, turn.why, now()))

    def performed(self, step: StepModel | Draw, answer: Answer) -> None:
        outcome, choice = (Outcome.DONE, answer) if isinstance(answer, Choice) else (answer, "")
        self._note(StepPerformed(self._id, step.step, outcome, step.path, now(), choice))

    def draw(self, draw: Draw) -> Choice:
        """Count this call at a step of the number's route."""
        before = self.services.count(step_key(self.terms.number.number, draw.path))
        return counted(before % draw.size + 1)

    def enter(self, step: StepModel, most: int) -> bool:
        """Whether the call may go on beyond this step, where at most so many may be at once."""
        return self.services.enter(step_key(self.terms.number.number, step.path), self._id, most)

    def mark_answered(self, at: datetime, to: str) -> Awaitable[None]:
        """The voicemail has answered; on the disk, this is what the bill counts from."""
        return self._note(Answered(self._id, at, to))

    def message_begins(self, at: datetime) -> Awaitable[None]:
        """Once this is on the disk there is a message, whatever becomes of call, engine and Asterisk."""
        return self._note(MessageStarted(self._id, at, self.message_id, self.delivery.as_json()))

    def message_ended(self, recorded: Recorded) -> Awaitable[None]:
        return self._note(MessageEnded(self._id, recorded.at, self.message_id, recorded.how.value))

    @property
    def message_recorded(self) -> Recorded | None:
        """How its message ended, if it has."""
        message = self.state.message
        if message is None or message.ended is None or message.how is None:
            return None
        return Recorded(How(message.how), message.ended)

    def announced_as(self, heard: Heard) -> Awaitable[None]:
        """The caller has heard that the call is recorded, or has been asked; this is the evidence of it."""
        result: NoticeResult = "refused" if isinstance(heard, Refusal) else "heard"
        return self._note(CallerNotified(self._id, heard.ended, result, **heard.as_fields()))

    def not_announced(self, result: NoticeResult, why: str) -> Awaitable[None]:
        """And so it is not recorded. `result`: failed, or skipped when it was not even tried."""
        policy = self.terms.number.record.value
        return self._note(CallerNotified(self._id, now(), result, policy, why))

    def recorder(self) -> Recorder | None:
        """How the conversation is recorded; None where the caller did not hear of it, or refused."""
        if not self.state.consent.caller_may_be_recorded:
            return None
        number, owner = self.terms.number, self.terms.owner
        prompt = None if owner.destinations_know else self.terms.prompt(number.statement(owner))
        if prompt is None and not owner.destinations_know:
            return None
        return Recorder(self.recording_id, prompt, owner.caller_may_stop)

    def hand_over(self, connect: Connect) -> Awaitable[None]:
        """From here on the call may ring and talk without an engine."""
        to = tuple(one.number for one in connect.to)
        terms = self._recorder_terms(connect.recorder) if connect.recorder else None
        return self._note(HandedOver(self._id, now(), to, connect.seconds, terms))

    def tried(self, connect: Connect, returned: Returned) -> Outcome:
        """What came of a ring that nobody took. A destination without a leg could not be dialled at all."""
        outcomes = [attempt.outcome for attempt in returned.attempts]
        dialled = {attempt.to for attempt in returned.attempts}
        for place, to in enumerate(one.number for one in connect.to):
            if to not in dialled:
                leg = undialled_leg_id(self._id, connect.number, place)
                self._note(LegStarted(self._id, returned.at, leg, to))
                self._note(LegEnded(self._id, returned.at, leg, Outcome.FAILED, NETWORK_OUT_OF_ORDER))
                outcomes.append(Outcome.FAILED)
        return together(outcomes)

    @property
    def talk_left(self) -> timedelta:
        """What is left of the limit to a caller who may have been answered before."""
        answered = self.state.answered
        return self.limit - (self.state.lasted(answered, now()) if answered else timedelta(0))

    def _recorder_terms(self, recorder: Recorder) -> RecorderTerms:
        owner, prompt = self.terms.owner, recorder.prompt
        return RecorderTerms(
            audio=recorder.audio_id,
            keep_seconds=int(owner.keep_recordings.total_seconds()),
            format=owner.recordings,
            policy=self.terms.number.record.value,
            announcement=prompt.name if prompt else "",
            sha256=prompt.sha256 if prompt else "",
            language=owner.language if prompt else "",
        )

    @property
    def _id(self) -> str:
        return self.line.call_id

    def _note(self, entry: Entry) -> Awaitable[None]:
        return self.journal.note(entry)


def begin(line: Line, terms: CallTerms | None, services: CallServices) -> CallJournal:
    """The journal of a call that has come in, with its start; of a number that is not ours, without an owner.

    It is on the disk before the engine answers the caller.
    """
    number, owner, missed, routing = line.dialled, "", None, ""
    if terms is not None:
        number, owner, routing = terms.number.number, terms.number.owner, terms.routing
        if terms.owner.missed_calls == "mail":
            missed = terms.number.delivery(terms.owner).as_json()
    start = CallStarted(
        line.call_id,
        line.entered,
        number=number,
        owner=owner,
        withheld=line.caller.withheld,
        node=services.node,
        channel=line.id,
        caller=line.caller.number or "",
        missed=missed,
        routing=routing,
    )
    return CallJournal(services, CallState.begun(start), services.note(start))


def now() -> datetime:
    """Our clock, which is Asterisk's, or nearly (engine.checks)."""
    return datetime.now(UTC)
