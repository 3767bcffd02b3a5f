"""The records of a call: projections of its state (`journal.state`).

A new field of the record is added in three places: the entry that has the fact, with the state it changes
(`journal.entries`, `journal.state`); the projection here; a migration with the column, and `storage.calls`.

Instants are aware UTC datetimes of Asterisk's clock; durations are computed from them, never stored apart.
If that clock was set during the call, `clock` has the durations by a steady clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from journal.entries import BY_ENGINE, CallerNotified, PartyNotified
from journal.ids import left_out_id, missed_id
from journal.state import CallState
from journal.values import Consent, Leg, Message, Recording

ZERO = timedelta(0)
MENU = "menu"  # the journal's name for a menu that answered the caller
VOICEMAIL = "voicemail"  # `delivered_to` when the caller left a message instead of reaching a destination


@dataclass(frozen=True, slots=True)
class LegRecord:
    """One attempt at one destination. `connected`: when the destination and the caller began to talk.

    `cause`: Q.850; `sip`: the last SIP status of the leg, 0 if unknown. `trunk`: the carrier, "" if unknown.
    `confirmation`: key, no_key or left, where the destination was asked to press 1; "" where it was not.
    """

    leg_id: str
    to: str
    began: datetime
    ringing: datetime | None = None
    answered: datetime | None = None
    connected: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    cause: int | None = None
    sip: int = 0
    trunk: str = ""
    confirmation: str = ""


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """The mail to the owner about a call: a message, a missed call, or a destination that is left out.

    `deliver` is a dialplan.delivery.Delivery as JSON. `ended` and `how` are None when the message's end is
    not known. `or_missed`: if the message has no speech, the owner wants a missed-call mail instead.
    """

    message_id: str
    kind: str  # voicemail | missed | left_out
    deliver: Mapping[str, Any]
    began: datetime
    ended: datetime | None = None
    how: str | None = None  # hangup | key | silence | limit | failed
    or_missed: bool = False


@dataclass(frozen=True, slots=True)
class RecordingRecord:
    """A recorded conversation. `keep`: the owner's retention when it began, from the end of the call.

    `evidence`: `notice`, as the call record has it when the recording ends; `changes`, each of them
    `{"what": pause | resume | stop | end, "at", "how"}`. `ended` is None when its end is not known.
    """

    recording_id: str
    format: str  # wav | flac | mp3 | opus
    keep: timedelta
    began: datetime
    evidence: Mapping[str, Any]
    ended: datetime | None = None
    how: str | None = None  # why it stopped before the conversation ended: key | failed


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. `caller` is empty when withheld or unknown; `ended` is None while the call is live.

    `answered`: when the caller's bill begins; `connected`: when a destination and the caller begin to talk.

    `notice`: whether the caller heard that the call is recorded: `result` (heard, refused, failed, skipped),
    `at`, the announcement as it was played on the caller's leg and the caller's answer, or `why` not;
    `joined`, a list of the same for each destination, by `leg` (heard, known, failed, left). Empty where
    nothing is recorded.
    `clock`: empty unless the clock was set during the call: then by how many seconds in all (`stepped`), and
    `ring` and `talk` in seconds of a steady clock. The instants stay as Asterisk's clock showed them.
    `choices`: what was chosen on the route, in order: keys pressed in menus, counts of calls, limits.
    `switches`: the names of those that were on when the call came in; `unreachable`: destinations left out;
    `trunk`: the carrier that the call came from, "" if unknown.
    """

    call_id: str
    number: str
    owner: str
    caller: str
    withheld: bool
    began: datetime
    node: str
    answered: datetime | None = None
    connected: datetime | None = None
    ended: datetime | None = None
    delivered_to: str = ""
    outcome: str = ""
    ended_by: str = ""  # caller | destination | engine | limit | network | lost
    cause: int | None = None  # Q.850
    recording_id: str = ""
    message_id: str = ""
    notice: Mapping[str, Any] = field(default_factory=dict)
    legs: tuple[LegRecord, ...] = ()
    routing: str = ""  # the digest of the routing version that the call began under
    clock: Mapping[str, float] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    trunk: str = ""

    @property
    def talk(self) -> timedelta:
        """Answer to end."""
        if "talk" in self.clock:
            return timedelta(seconds=self.clock["talk"])
        return max(self.ended - self.answered, ZERO) if self.ended and self.answered else ZERO

    @property
    def ring(self) -> timedelta:
        """First attempt to answer; without an answer, to the end of the last attempt.

        If the caller was answered before anything rang, the ringing ended when a destination was connected.
        """
        if "ring" in self.clock:
            return timedelta(seconds=self.clock["ring"])
        if not self.legs:
            return ZERO
        began = self.legs[0].began
        if self.answered and (self.connected is None or self.answered >= began):
            end = self.answered
        else:
            end = self.connected or max(leg.ended or leg.began for leg in self.legs)
        return max(end - began, ZERO)


def call_record(state: CallState) -> CallRecord:
    """The record of a call, ended or not."""
    ending, recording, message = state.ending, state.recording, state.message
    record = CallRecord(
        call_id=state.call_id,
        number=state.number,
        owner=state.owner,
        caller=state.caller,
        withheld=state.withheld,
        began=state.began,
        node=state.node,
        routing=state.routing,
        answered=state.answered,
        connected=state.connected.at if state.connected else None,
        ended=ending.at if ending else None,
        delivered_to=delivered_to(state),
        outcome=ending.outcome if ending else "",
        ended_by=ending.ended_by if ending else "",
        cause=ending.cause if ending else None,
        recording_id=recording.audio if recording else "",
        message_id=message.audio if message else "",
        notice=notice(state.consent),
        legs=tuple(map(leg_record, state.legs.values())),
        choices=state.choices,
        switches=state.switches,
        trunk=state.trunk,
        unreachable=state.unreachable,
    )
    return replace(record, clock=clock(state, record)) if state.clock_steps else record


def clock(state: CallState, record: CallRecord) -> Mapping[str, float]:
    """The record's `clock`."""

    def steady(instant: datetime | None) -> datetime | None:
        return state.steady(instant) if instant else None

    legs = [replace(leg, began=state.steady(leg.began), ended=steady(leg.ended)) for leg in record.legs]
    by_steady = replace(
        record,
        answered=steady(record.answered),
        connected=steady(record.connected),
        ended=steady(record.ended),
        legs=tuple(legs),
    )
    return {
        "stepped": sum(step.by.total_seconds() for step in state.clock_steps),
        "ring": by_steady.ring.total_seconds(),
        "talk": by_steady.talk.total_seconds(),
    }


def messages(state: CallState) -> tuple[MessageRecord, ...]:
    """The mails to the owner about this ended call."""
    left_out = (
        MessageRecord(left_out_id(state.call_id, n), "left_out", entry.deliver, entry.at)
        for n, entry in enumerate(state.left_out, start=1)
        if entry.deliver is not None
    )
    return (*_about_the_call(state), *left_out)


def _about_the_call(state: CallState) -> tuple[MessageRecord, ...]:
    if not state.messages and state.missed is not None and delivered_to(state) in ("", VOICEMAIL):
        return (MessageRecord(missed_id(state.call_id), "missed", state.missed, state.began),)
    return tuple(
        MessageRecord(
            message_id=message.audio,
            kind="voicemail",
            deliver=message.deliver,
            began=message.began,
            ended=until(state, message),
            how=message.how,
            or_missed=state.missed is not None,
        )
        for message in state.messages.values()
    )


def recordings(state: CallState) -> tuple[RecordingRecord, ...]:
    """The recordings of this call."""
    return tuple(recording_record(recording, state) for recording in state.recordings.values())


def until(state: CallState, sound: Message | Recording) -> datetime | None:
    """When it ended, by the clock as it was set when it began, so that the difference is its length."""
    return sound.began + state.lasted(sound.began, sound.ended) if sound.ended else None


def recording_record(recording: Recording, state: CallState) -> RecordingRecord:
    changes = [
        {"what": change.what, "at": change.at.isoformat(), "how": change.how} for change in recording.changes
    ]
    return RecordingRecord(
        recording_id=recording.audio,
        format=recording.format,
        keep=timedelta(seconds=recording.keep_seconds),
        began=recording.began,
        evidence={"notice": notice(state.consent), "changes": changes},
        ended=until(state, recording),
        how=recording.how,
    )


def leg_record(leg: Leg) -> LegRecord:
    return LegRecord(
        leg_id=leg.leg_id,
        to=leg.to,
        began=leg.began,
        ringing=leg.ringing,
        answered=leg.answered,
        connected=leg.connected,
        ended=leg.ended,
        outcome=leg.outcome or "",
        cause=leg.cause,
        sip=leg.sip,
        trunk=leg.trunk,
        confirmation=leg.confirmation,
    )


def delivered_to(state: CallState) -> str:
    """The destination that talked with the caller, "voicemail" where the caller left a message, or ""."""
    if state.connected is not None:
        return state.legs[state.connected.leg].to
    if state.messages:
        return VOICEMAIL
    return "" if state.answered_to in (MENU, BY_ENGINE) else state.answered_to


def notice(consent: Consent) -> Mapping[str, Any]:
    """The record's `notice`; empty where the caller was not notified."""
    if consent.caller is None:
        return {}
    joined = [{"leg": leg, **evidence(party)} for leg, party in consent.parties.items()]
    return {**evidence(consent.caller), "joined": joined}


def evidence(notified: CallerNotified | PartyNotified) -> Mapping[str, Any]:
    """How a party was notified, as JSON, without empty facts except the answer to an announcement."""
    facts = {
        "at": notified.at.isoformat(),
        "result": notified.result,
        "why": notified.why,
        "policy": notified.policy,
        "announcement": notified.announcement,
        "sha256": notified.sha256,
        "language": notified.language,
        "began": notified.began and notified.began.isoformat(),
        "ended": notified.ended and notified.ended.isoformat(),
    }
    answer = {"answer": notified.answer} if notified.announcement else {}
    return {key: fact for key, fact in facts.items() if fact} | answer
