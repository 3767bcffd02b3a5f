"""The parts of a call's state: frozen values, each with its value `after` an entry."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from dialplan.result import Outcome
from journal.entries import (
    CallerNotified,
    ClockStepped,
    LegAnswered,
    LegAsked,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    MessageEnded,
    PartyNotified,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)

LegEntry = LegStarted | LegRang | LegAnswered | LegAsked | LegConnected | LegEnded
ConsentEntry = CallerNotified | PartyNotified
RecordingEntry = RecordingStarted | RecordingPaused | RecordingResumed | RecordingStopped | RecordingEnded


class Leg(Struct, frozen=True, gc=False):
    """One attempt at one destination. `cause`: Q.850; `sip`: the last SIP status, 0 if unknown.

    `trunk`: the carrier; "" in older journals.
    `confirmation`: key, no_key or left, where it was asked to press 1; "" where it was not.
    """

    leg_id: str
    to: str
    began: datetime
    ringing: datetime | None = None
    answered: datetime | None = None
    connected: datetime | None = None
    ended: datetime | None = None
    outcome: Outcome | None = None
    cause: int | None = None
    sip: int = 0
    trunk: str = ""
    confirmation: str = ""

    def after(self, entry: LegEntry) -> "Leg":
        """The first ringing, answer and connection count, and the last end and destination."""
        match entry:
            case LegStarted():
                changes: dict[str, Any] = {"to": entry.to}
            case LegRang() if self.ringing is None:
                changes = {"ringing": entry.at}
            case LegAnswered() if self.answered is None:
                changes = {"answered": entry.at}
            case LegAsked():
                changes = {"confirmation": entry.result}
            case LegConnected() if self.connected is None:
                changes = {"connected": entry.at}
            case LegEnded():
                changes = {"ended": entry.at, "outcome": entry.outcome}
                changes |= {"cause": entry.cause, "sip": entry.sip}
            case _:
                return self
        return replace(self, **changes)

    def unconnected(self) -> "Leg":
        """The leg of a caller who had left before they were connected."""
        return replace(self, connected=None)


class Connected(NamedTuple):
    """When a destination began to talk with the caller, and on which leg."""

    at: datetime
    leg: str


class Consent(Struct, frozen=True):
    """Evidence that the parties know of the recording: caller notice, and party notices by leg id."""

    caller: CallerNotified | None = None
    parties: Mapping[str, PartyNotified] = {}

    @property
    def caller_may_be_recorded(self) -> bool:
        """Whether the caller heard the announcement to its end, and did not refuse."""
        return self.caller is not None and self.caller.result == "heard"

    def allows(self, leg: str) -> bool:
        """Whether the conversation of the caller with this leg may be recorded."""
        party = self.parties.get(leg)
        return self.caller_may_be_recorded and party is not None and party.result in ("heard", "known")

    def after(self, entry: ConsentEntry) -> "Consent":
        if isinstance(entry, CallerNotified):
            return Consent(entry, self.parties)
        return Consent(self.caller, {**self.parties, entry.leg: entry})


class Change(NamedTuple):
    """A change of a recording. `how`: None if there is only one way."""

    what: Literal["pause", "resume", "stop", "end"]
    at: datetime
    how: str | None = None


class Recording(Struct, frozen=True):
    """A recorded conversation. `ended`: stopped, or over with the conversation; `how`: what stopped it.

    `keep_seconds`: the owner's retention when it began. `leg`: "" in older journals. `paused`: since when.
    """

    audio: str
    began: datetime
    keep_seconds: int
    format: str
    leg: str = ""
    changes: tuple[Change, ...] = ()
    paused: datetime | None = None
    ended: datetime | None = None
    how: str | None = None  # key | failed

    def after(self, entry: RecordingEntry) -> "Recording":
        match entry:
            case RecordingStarted():
                return self
            case RecordingPaused():
                change = Change("pause", entry.at)
            case RecordingResumed():
                change = Change("resume", entry.at, entry.how)
            case RecordingStopped():
                change = Change("stop", entry.at, entry.how)
            case RecordingEnded():
                change = Change("end", entry.at)
        return self if change in self.changes else self._changed(change)

    def _changed(self, change: Change) -> "Recording":
        changes = (*self.changes, change)
        match change.what:
            case "pause":
                return replace(self, changes=changes, paused=change.at)
            case "resume":
                return replace(self, changes=changes, paused=None)
        return replace(self, changes=changes, paused=None, ended=change.at, how=change.how or self.how)


class Message(Struct, frozen=True):
    """A message of the caller. `deliver`: a dialplan.delivery.Delivery as JSON.

    `ended` and `how` (hangup, key, silence, limit, failed) are None until it has ended.
    """

    audio: str
    began: datetime
    deliver: Mapping[str, Any]
    ended: datetime | None = None
    how: str | None = None

    def after(self, entry: MessageEnded) -> "Message":
        return replace(self, ended=entry.at, how=entry.how)


# An event may be journalled so late. Of an instant that the clock showed twice, it is then the earlier one.
LATE = timedelta(seconds=0.2)


class ClockStep(Struct, frozen=True, gc=False):
    """The clock was set `by` so much, between a reading of `before` and a reading of `at`.

    `known`: the instants of the call that were journalled before.
    """

    before: datetime
    at: datetime
    by: timedelta
    known: frozenset[datetime]

    @classmethod
    def of(cls, entry: ClockStepped, known: frozenset[datetime]) -> "ClockStep":
        return cls(entry.before, entry.at, timedelta(seconds=entry.seconds), known)

    def is_earlier(self, instant: datetime) -> bool:
        """Whether this is an instant of the clock before it was set.

        What was journalled before is earlier: if the clock was set several times, comparing does not show it.
        A clock that is set forward never shows the time between. A clock that is set back shows some time
        twice: an instant in it is an earlier one if it is too close to the end of that time.
        """
        if instant in self.known:
            return True
        if self.by > timedelta(0):
            return instant < self.before + self.by
        if not self.before + self.by <= instant <= self.at - self.by:
            return instant < self.at
        return instant > self.before - min(LATE, -self.by / 2)
