"""One call: the caller's line, what was agreed for the number, and the notes that become its call record."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dialplan.delivery import Delivery
from dialplan.number import Owner, ServiceNumber
from dialplan.prompt import Prompt
from dialplan.result import Outcome, Result
from dialplan.steps import Action
from dialplan.walk import Turn
from engine.line import Ended, How, Line, Recorded
from engine.notice import Heard, Informed, Notice, Refusal
from engine.served import Served, entries_of
from journal.entries import Entry

# Where a call was delivered to when it was delivered to no destination.
VOICEMAIL = "voicemail"
# Q.850 causes a record may end with when no leg gave one.
NORMAL_CLEARING = 16
NO_SUCH_NUMBER = 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed for a number when the call came in: a reload does not reach a live call."""

    number: ServiceNumber
    owner: Owner
    prompt: Callable[[str], Prompt | None]
    longest: timedelta = timedelta(hours=4)


class Desk(Protocol):
    """What every call shares: the agreements in force, and the journal."""

    @property
    def node(self) -> str: ...
    def agreed(self, dialled: str) -> Agreement | None:
        """The agreement for a dialled number, or None where the number is not ours."""

    async def why_no_message(self) -> str | None:
        """Why no message can be taken now; None when one can."""

    async def why_no_recording(self) -> str | None:
        """Why no conversation can be recorded now; None when one can."""

    def note(self, entry: Entry) -> Awaitable[None]:
        """Write an entry of the journal at once; awaiting it waits until it is on the disk."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended: by whom (caller, destination, engine, limit, lost), when, and its Q.850 cause."""

    result: Result
    by: str
    at: datetime
    cause: int


@dataclass(slots=True)
class Call:
    """The only mutable thing: where a call stands. It is told what happens to each leg and notes it.

    `reached`: what it has come to once it is answered; `message_begun`, `recorded`: of the message it leaves.
    `announced`: the caller was told of the recording, or it was tried; `notice`: he heard it, and may be
    recorded; `informed`: so did who joined him, or he knows; `is_recorded`: that has begun, and goes on;
    `paused`: since when, by key.
    """

    line: Line
    agreed: Agreement
    desk: Desk
    answered: datetime | None = None
    reached: Result | None = None
    message_begun: bool = False
    recorded: Recorded | None = None
    announced: bool = False
    notice: Notice | None = None
    informed: Informed | None = None
    is_recorded: bool = False
    paused: datetime | None = None
    over: Ending | None = None
    spent: timedelta = timedelta(0)  # of the conversation, before this engine took the call over
    started: Awaitable[None] | None = None  # its start in the journal; None: an earlier engine wrote it

    @property
    def limit(self) -> timedelta:
        """How long the conversation may last."""
        return min(timedelta(minutes=self.agreed.number.max_minutes), self.agreed.longest)

    @property
    def message_id(self) -> str:
        """The message it leaves, if it leaves one, and the file it is recorded to."""
        return f"{self.line.call_id}-vm1"

    @property
    def recording_id(self) -> str:
        """The recording of its conversation, if there is one; its files are called so, and what they hold."""
        return f"{self.line.call_id}-rec1"

    @property
    def delivery(self) -> Delivery:
        """How a message of this call reaches the owner."""
        return self.agreed.number.delivery(self.agreed.owner)

    def knows(self, leg_id: str) -> bool:
        """Has this leg been told of the recording?"""
        return self.informed is not None and self.informed.leg == leg_id

    def start(self) -> None:
        number, missed = self.agreed.number, {}
        if self.agreed.owner.missed_calls == "mail":
            missed["missed"] = self.delivery.as_json()
        self.started = note_start(self.desk, self.line, number.number, number.owner, **missed)

    async def is_written(self) -> None:
        """Wait until the journal has this call: before that nobody is answered."""
        if self.started is not None:
            await self.started

    def remember(self, entries: Iterable[Entry]) -> None:
        """How far an earlier engine had come with this call."""
        for entry in entries:
            at = datetime.fromisoformat(entry["at"]) if "at" in entry else None
            match entry["kind"]:
                case "answered":
                    self.answered = at
                    self.reached = Result.VOICEMAIL if entry["to"] == VOICEMAIL else Result.ANSWERED
                case "vm_start":
                    self.message_begun = True
                case "vm_end" if at:
                    self.recorded = Recorded(How(entry["how"]), at)
                case "notice":
                    self.announced = True
                    self.notice = Notice.recalled(entry) if entry["result"] == "heard" else None
                case "informed" if entry["result"] == "failed":
                    self.notice = None
                case "informed":
                    self.informed = Informed.recalled(entry)
                case "rec_start":
                    self.is_recorded = True
                case "rec_pause" | "rec_resume" as kind:
                    self.paused = at if kind == "rec_pause" else None
                case "rec_stop" | "rec_end":
                    self.is_recorded, self.notice = False, None

    def turned(self, turn: Turn) -> None:
        self._note("turn", step=turn.step, why=turn.why)

    def performed(self, step: Action, outcome: Outcome) -> None:
        self._note("step", step=step.step, outcome=outcome)

    def mark_answered(self, at: datetime, to: str) -> Awaitable[None]:
        """A destination, or the voicemail, has answered; on the disk, this is what the bill counts from."""
        self.answered = at
        self.reached = Result.VOICEMAIL if to == VOICEMAIL else Result.ANSWERED
        return self._note("answered", at=at, to=to)

    def message_begins(self, at: datetime) -> Awaitable[None]:
        """Once this is on the disk there is a message, whatever becomes of call, engine and Asterisk."""
        self.message_begun = True
        return self._note("vm_start", at=at, audio=self.message_id, deliver=self.delivery.as_json())

    def message_ended(self, recorded: Recorded) -> Awaitable[None]:
        self.recorded = recorded
        return self._note("vm_end", at=recorded.at, audio=self.message_id, how=recorded.how)

    def announced_as(self, heard: Heard) -> Awaitable[None]:
        """The caller has heard that he will be recorded, or has been asked; this is the evidence of it."""
        self.announced = True
        self.notice = heard if isinstance(heard, Notice) else None
        result = "refused" if isinstance(heard, Refusal) else "heard"
        return self._note("notice", at=heard.ended, result=result, **heard.as_json())

    def not_announced(self, result: str, why: str) -> Awaitable[None]:
        """And so it is not recorded. `result`: failed, or skipped when it was not even tried."""
        self.announced = True
        policy = self.agreed.number.record
        return self._note("notice", at=datetime.now(UTC), result=result, why=why, policy=policy)

    def joined_by(self, informed: Informed) -> Awaitable[None]:
        """Who has joined the caller knows that he will be recorded; this is the evidence of it."""
        self.informed = informed
        at = informed.heard.ended if informed.heard else datetime.now(UTC)
        return self._note("informed", at=at, **informed.as_json())

    def not_informed(self, leg_id: str, why: str) -> Awaitable[None]:
        """And so neither of the two is recorded."""
        self.notice = None
        return self._note("informed", at=datetime.now(UTC), leg=leg_id, result="failed", why=why)

    def recording_begins(self) -> Awaitable[None]:
        """Once this is on the disk there is a recording, and it will be destroyed, whatever becomes of us."""
        self.is_recorded = True
        owner = self.agreed.owner
        return self._note(
            "rec_start",
            at=datetime.now(UTC),  # our clock is Asterisk's, or nearly: engine.checks
            audio=self.recording_id,
            keep_seconds=int(owner.keep_recordings.total_seconds()),
            format=owner.recordings,
        )

    def recording_paused(self, at: datetime) -> Awaitable[None]:
        self.paused = at
        return self._note("rec_pause", at=at)

    def recording_resumed(self, at: datetime, how: str) -> Awaitable[None]:
        """`how`: by key, or auto."""
        self.paused = None
        return self._note("rec_resume", at=at, how=how)

    def recording_stopped(self, at: datetime, how: str) -> Awaitable[None]:
        """For good, and before the conversation is over. `how`: by key, or failed."""
        self.notice = None
        return self._note("rec_stop", at=at, how=how)

    def recording_ended(self, at: datetime) -> Awaitable[None]:
        self.is_recorded, self.notice = False, None
        return self._note("rec_end", at=at, audio=self.recording_id)

    def served(self, served: Served) -> Ending:
        """What Asterisk alone did with the call, after us."""
        for entry in entries_of(served, self.line.call_id):
            self.desk.note(entry)
        return Ending(served.result, served.by, served.ended, served.cause)

    def end(self, ending: Ending) -> Awaitable[None]:
        return note_end(self.desk, self.line, ending)

    # What happens to each attempt (engine.line.LegWitness).

    def dialled(self, leg_id: str, to: str, at: datetime) -> None:
        self._note("leg_start", at=at, leg=leg_id, to=to)

    def rang(self, leg_id: str, at: datetime) -> None:
        self._note("leg_ringing", at=at, leg=leg_id)

    def leg_answered(self, leg_id: str, at: datetime) -> None:
        self._note("leg_answer", at=at, leg=leg_id)

    def leg_ended(self, leg_id: str, ended: Ended) -> None:
        self._note("leg_end", at=ended.at, leg=leg_id, outcome=ended.outcome, cause=ended.cause)

    def _note(self, kind: str, **facts: Any) -> Awaitable[None]:
        return self.desk.note(_entry(self.line, kind, **facts))


def note_start(desk: Desk, line: Line, number: str, owner: str, **more: Any) -> Awaitable[None]:
    """A call came in: on the disk before anything is done for it that costs the caller money."""
    start = _entry(
        line,
        "call_start",
        at=line.entered,
        number=number,
        owner=owner,
        caller=line.caller.number or "",
        withheld=line.caller.withheld,
        node=desk.node,
        channel=line.id,
        **more,
    )
    return desk.note(start)


def note_end(desk: Desk, line: Line, end: Ending) -> Awaitable[None]:
    return desk.note(
        _entry(line, "call_end", at=end.at, outcome=end.result, ended_by=end.by, cause=end.cause)
    )


def _entry(line: Line, kind: str, **facts: Any) -> Entry:
    texts = {name: fact.isoformat() if isinstance(fact, datetime) else fact for name, fact in facts.items()}
    return {"call": line.call_id, "kind": kind, **texts}
