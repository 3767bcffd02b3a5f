"""What is left of a call: the journal's entries of one call, folded into the record that is kept and billed.

Instants are aware UTC datetimes of Asterisk's clock; durations are computed from them, never stored apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

# One line of the journal: {"call": id, "kind": ..., "at": ISO 8601, ...}. The kinds are those of `fold`.
Entry = Mapping[str, Any]

ZERO = timedelta(0)
VOICEMAIL = "voicemail"  # `delivered_to` of a caller whom no destination answered, but our own machine


@dataclass(frozen=True, slots=True)
class LegRecord:
    """One attempt at one destination."""

    leg_id: str
    to: str
    began: datetime
    ringing: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    cause: int | None = None  # Q.850


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """What the owner is to be mailed about a call: the sound a caller left, or that he left none.

    `deliver` is a dialplan.delivery.Delivery as JSON. `ended` and `how` are None when nobody saw the sound's
    end. `or_missed`: should there be nothing on it, a missed-call mail is wanted instead.
    """

    message_id: str
    kind: str  # voicemail | missed
    deliver: Mapping[str, Any]
    began: datetime
    ended: datetime | None = None
    how: str | None = None  # hangup | key | silence | limit | failed
    or_missed: bool = False


@dataclass(frozen=True, slots=True)
class RecordingRecord:
    """A recorded conversation. `keep`: the owner's retention when it began, counted from the call's end.

    `evidence`: `notice`, as the call's record has it; `changes`, each
    `{"what": pause | resume | stop | end, "at", "how"}`. `ended` is None when nobody saw its end.
    """

    recording_id: str
    format: str  # wav | flac | mp3 | opus
    keep: timedelta
    began: datetime
    evidence: Mapping[str, Any]
    ended: datetime | None = None
    how: str | None = None  # it was stopped before the conversation was over: key | failed


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. `caller` is empty when withheld or unknown; `ended` is None while the call lives.

    `notice`: what came of telling the caller that he is recorded: `result` heard, refused, failed or skipped,
    the announcement as his leg heard it and his answer, or `why`; `joined`, the same of whoever has answered,
    by `leg`: heard, known or failed. Empty where nothing is recorded.
    """

    call_id: str
    number: str
    owner: str
    caller: str
    withheld: bool
    began: datetime
    node: str
    answered: datetime | None = None
    ended: datetime | None = None
    delivered_to: str = ""
    outcome: str = ""
    ended_by: str = ""  # caller | destination | engine | limit | lost
    cause: int | None = None  # Q.850
    recording_id: str = ""
    message_id: str = ""
    notice: Mapping[str, Any] = field(default_factory=dict)
    legs: tuple[LegRecord, ...] = ()
    routing: str = ""  # the digest of the routing version that the call began under

    @property
    def talk(self) -> timedelta:
        """Answer to end."""
        return max(self.ended - self.answered, ZERO) if self.ended and self.answered else ZERO

    @property
    def ring(self) -> timedelta:
        """First attempt to answer; without an answer, to the end of the last attempt."""
        if not self.legs:
            return ZERO
        end = self.answered or max((leg.ended or leg.began for leg in self.legs), default=None)
        return max(end - self.legs[0].began, ZERO) if end else ZERO


def fold(entries: Iterable[Entry]) -> CallRecord | None:
    """What these entries of one call, in order, amount to. None if the call's start is not among them."""
    record: CallRecord | None = None
    for entry in entries:
        if entry["kind"] == "call_start":
            record = _started(entry)
        elif record is not None:
            record = _with(record, entry)
    return record


def fold_messages(entries: Iterable[Entry], record: CallRecord) -> tuple[MessageRecord, ...]:
    """What its owner is to be mailed about this ended call, `record` being its entries folded."""
    missed: Mapping[str, Any] | None = None
    left: dict[str, MessageRecord] = {}
    for entry in entries:
        match entry["kind"]:
            case "call_start":
                missed = entry.get("missed")
            case "vm_start":
                left[entry["audio"]] = _message(entry, or_missed=missed is not None)
            case "vm_end" if entry["audio"] in left:
                message = left[entry["audio"]]
                left[entry["audio"]] = replace(message, ended=_at(entry), how=entry["how"])
    if not left and missed is not None and record.delivered_to in ("", VOICEMAIL):
        return (MessageRecord(f"{record.call_id}-missed", "missed", missed, record.began),)
    return tuple(left.values())


def fold_recordings(entries: Iterable[Entry]) -> tuple[RecordingRecord, ...]:
    """The conversations that were recorded in this call."""
    notice: Mapping[str, Any] = {}
    found: dict[str, RecordingRecord] = {}
    latest = ""
    for entry in entries:
        match entry["kind"]:
            case "notice" | "informed":
                notice = noticed(notice, entry)
            case "rec_start" if entry["audio"] not in found:
                latest = entry["audio"]
                found[latest] = _recording(entry, notice)
            case "rec_pause" | "rec_resume" | "rec_stop" | "rec_end" if latest:
                found[latest] = _changed(found[latest], entry)
    return tuple(found.values())


def noticed(notice: Mapping[str, Any], entry: Entry) -> Mapping[str, Any]:
    """The record's `notice` with this entry, of kind `notice` or `informed`."""
    told = {key: fact for key, fact in entry.items() if key not in ("call", "kind")}
    if entry["kind"] == "notice":
        return {**told, "joined": []}
    return {**notice, "joined": [*notice["joined"], told]} if notice else notice


def _recording(entry: Entry, notice: Mapping[str, Any]) -> RecordingRecord:
    known = ("call", "kind", "audio", "at", "keep_seconds", "format")
    more = {key: told for key, told in entry.items() if key not in known}
    return RecordingRecord(
        recording_id=entry["audio"],
        format=entry["format"],
        keep=timedelta(seconds=entry["keep_seconds"]),
        began=_at(entry),
        evidence={"notice": notice, **more, "changes": []},
    )


def _changed(recording: RecordingRecord, entry: Entry) -> RecordingRecord:
    what, how = entry["kind"].removeprefix("rec_"), entry.get("how")
    change = {"what": what, "at": entry["at"], "how": how}
    changes = [*recording.evidence["changes"], change]
    recording = replace(recording, evidence={**recording.evidence, "changes": changes})
    if what in ("stop", "end"):
        recording = replace(recording, ended=_at(entry), how=how or recording.how)
    return recording


def _message(entry: Entry, *, or_missed: bool) -> MessageRecord:
    return MessageRecord(entry["audio"], "voicemail", entry["deliver"], _at(entry), or_missed=or_missed)


def _started(entry: Entry) -> CallRecord:
    return CallRecord(
        call_id=entry["call"],
        number=entry["number"],
        owner=entry["owner"],
        caller=entry["caller"],
        withheld=entry["withheld"],
        began=_at(entry),
        node=entry["node"],
        routing=entry.get("routing", ""),
    )


def _with(record: CallRecord, entry: Entry) -> CallRecord:
    match entry["kind"]:
        case "leg_start":
            leg = LegRecord(entry["leg"], entry["to"], _at(entry))
            record = replace(record, legs=(*record.legs, leg))
        case "leg_ringing":
            record = _with_leg(record, entry["leg"], ringing=_at(entry))
        case "leg_answer":
            record = _with_leg(record, entry["leg"], answered=_at(entry))
        case "leg_end":
            ended = {"ended": _at(entry), "outcome": entry["outcome"], "cause": entry["cause"]}
            record = _with_leg(record, entry["leg"], **ended)
        case "answered":
            record = replace(record, answered=_at(entry), delivered_to=entry["to"])
        case "notice" | "informed":
            record = replace(record, notice=noticed(record.notice, entry))
        case "vm_start":
            record = replace(record, message_id=entry["audio"])
        case "rec_start":
            record = replace(record, recording_id=entry["audio"])
        case "call_end":
            ended = {key: entry[key] for key in ("outcome", "ended_by", "cause")}
            record = replace(record, ended=_at(entry), **ended)
    return record  # turns, steps: the call's story, not its bill


def _with_leg(record: CallRecord, leg_id: str, **facts: Any) -> CallRecord:
    legs = tuple(replace(leg, **facts) if leg.leg_id == leg_id else leg for leg in record.legs)
    return replace(record, legs=legs)


def _at(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["at"])
