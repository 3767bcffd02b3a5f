"""Call records held against what the telephones saw: each call has one record, its instants are theirs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from storage.records import CallRecord, LegRecord
from tests.live.traffic.seen import LegSeen, Seen, Span

SAME_CALL = 1.0  # s between the INVITE and the record's beginning, at most
# Of several legs only their Dial events say when each rang: those that an engine had not noted when it was
# killed, and those that Asterisk had sent to it, are lost (docs/decisions/014-hand-over.md).
UNNOTED = 0.1  # s before or after the kill
ANSWER = 200  # SIP
CROSSING = 0.05  # s from a reply that crosses Asterisk's end of the leg to the BYE or CANCEL
Evidence = Mapping[str, Any]  # a recording: began, ended, changes


@dataclass
class Held:
    """What came of it. `differences`: by what, each in seconds, and where. `wrong`: in words.

    `unknown`: legs that rang beside others at a kill, and of which the record does not say when.
    `crossed`: legs that rang or answered when Asterisk had ended them, and CEL does not have that.
    """

    differences: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    missing: int = 0
    doubled: int = 0
    unknown: int = 0
    crossed: int = 0

    def far(self, late: float) -> list[str]:
        """The differences of more than that."""
        return [
            f"{where}: {what} differs by {by:+.3f} s"
            for what, found in self.differences.items()
            for by, where in found
            if abs(by) >= late
        ]


def hold(
    seen: Sequence[Seen],
    records: Sequence[CallRecord],
    recordings: Mapping[str, Evidence],
    kills: Sequence[Span] = (),
) -> Held:
    """`recordings`: by their ids. `kills`: the spans in which an engine's connection to Asterisk ended."""
    held = Held()
    for number in {call.number for call in seen} | {record.number for record in records}:
        own = [record for record in records if record.number == number]
        for call in (call for call in seen if call.number == number):
            record = record_of(call, own)
            if record is None:
                held.missing += 1
                held.wrong.append(f"{call.script} of {number} at {call.began:.3f}: no record")
                continue
            own.remove(record)
            hold_call(held, call, record, kills)
            if record.recording_id:
                hold_recording(held, call, record, recordings.get(record.recording_id))
        held.doubled += len(own)
        held.wrong += [f"{record.call_id}: a record of no call" for record in own]
    return held


def record_of(call: Seen, records: Sequence[CallRecord]) -> CallRecord | None:
    """The record that began with this call."""
    near = [it for it in records if abs(it.began.timestamp() - call.began) < SAME_CALL]
    return min(near, key=lambda it: abs(it.began.timestamp() - call.began), default=None)


def hold_call(held: Held, call: Seen, record: CallRecord, kills: Sequence[Span]) -> None:
    where = f"{call.script} {record.call_id}"
    for what, recorded, seen in instants(call, record):
        compare(held, where, what, recorded, seen)
    told = facts(call, record, kills)
    held.wrong += [f"{where}: {what} is {is_!r}, not {seen!r}" for what, is_, seen in told if is_ != seen]
    legs = sorted(call.legs, key=by_destination)
    recorded_legs = sorted(record.legs, key=by_destination)
    if [leg.to for leg in legs] != [leg.to for leg in recorded_legs]:
        held.wrong.append(f"{where}: legs {recorded_legs}, seen {legs}")
        return
    for leg_seen, leg in zip(legs, recorded_legs, strict=True):
        if leg.ringing is None and len(legs) > 1 and rang_at_a_kill(leg_seen, kills):
            held.unknown += 1
            leg_seen = replace(leg_seen, ringing=None)  # noqa: PLW2901
        if leg.ringing is None and rang_at_its_end(leg_seen):
            held.crossed += 1
            leg_seen = replace(leg_seen, ringing=None)  # noqa: PLW2901
        if leg.answered is None and leg.sip < ANSWER and has_crossed(call, leg_seen):
            held.crossed += 1
            leg_seen = replace(leg_seen, answered=None)  # noqa: PLW2901
        for what, recorded, seen in leg_instants(leg_seen, leg):
            compare(held, f"{where} {leg.to}", what, recorded, seen)


def rang_at_a_kill(leg: LegSeen, kills: Sequence[Span]) -> bool:
    rang = leg.ringing
    return rang is not None and is_at_a_kill(rang, kills)


def is_at_a_kill(at: float, kills: Sequence[Span]) -> bool:
    return any(since - UNNOTED < at < until + UNNOTED for since, until in kills)


def rang_at_its_end(leg: LegSeen) -> bool:
    """Whether its 180 crossed Asterisk's CANCEL: the caller gave up in the moment in which it was called."""
    if leg.ringing is None or leg.ended is None or leg.how != "cancel":
        return False
    return leg.ended - leg.ringing < CROSSING


def has_crossed(call: Seen, leg: LegSeen) -> bool:
    """Whether the answer came when Asterisk had ended this leg: it sent CANCEL, or it sent BYE at once."""
    if leg.answered is None or leg.ended is None or leg.to == call.to:
        return False
    return leg.crossed or (leg.how == "bye" and leg.ended - leg.answered < CROSSING)


def by_destination(leg: LegSeen | LegRecord) -> tuple[str, float]:
    began = leg.began
    return leg.to, began.timestamp() if isinstance(began, datetime) else began


def compare(held: Held, where: str, what: str, recorded: datetime | None, seen: float | None) -> None:
    if recorded is not None and seen is not None:
        held.differences[what].append((recorded.timestamp() - seen, where))
    elif recorded is not None or seen is not None:
        held.wrong.append(f"{where}: {what} is {recorded}, seen {seen}")


def facts(call: Seen, record: CallRecord, kills: Sequence[Span]) -> Iterator[tuple[str, object, object]]:
    """What the record says, beside what it must say.

    An engine that answers and is killed at once does not say for what: that call is abandoned, and billed.
    """
    yield "ended_by", record.ended_by, call.ended_by or "engine"
    for_nothing = not call.to and is_at_a_kill(call.answered or 0.0, kills)
    if for_nothing and record.outcome == "abandoned":
        yield "delivered_to", record.delivered_to, ""
        return
    yield "delivered_to", record.delivered_to, call.to or ("voicemail" if call.answered else "")
    if call.answered:
        yield "outcome", record.outcome, "answered" if call.to else "voicemail"
    elif call.ended_by:
        yield "outcome", record.outcome, "abandoned"
    yield "recorded", bool(record.recording_id), bool(call.announcement and call.answered)


def instants(call: Seen, record: CallRecord) -> Iterator[tuple[str, datetime | None, float | None]]:
    yield "began", record.began, call.began
    yield "answered", record.answered, call.answered
    yield "ended", record.ended, ended(call)


def ended(call: Seen) -> float | None:
    """Dial sees a caller who gives up while the destination hears the announcement when that is over."""
    if call.ended and call.announcement and call.answered is None:
        return max(call.ended, call.announcement[1])
    return call.ended


def leg_instants(seen: LegSeen, leg: LegRecord) -> Iterator[tuple[str, datetime | None, float | None]]:
    yield "leg began", leg.began, seen.began
    yield "leg ringing", leg.ringing, seen.ringing
    yield "leg answered", leg.answered, seen.answered
    yield "leg ended", leg.ended, seen.ended


def hold_recording(held: Held, call: Seen, record: CallRecord, recording: Evidence | None) -> None:
    """What is recorded begins as the caller is answered, ends with the talk, and pauses with the keys."""
    where = f"{call.script} {record.recording_id}"
    if recording is None:
        held.wrong.append(f"{where}: the recording has no row")
        return
    compare(held, where, "recording began", recording["began"], call.answered)
    compare(held, where, "recording ended", recording["ended"], call.ended)
    told = [party for party in record.notice["joined"] if party["result"] == "heard"]
    if call.announcement is not None and told:
        ended = datetime.fromisoformat(told[-1]["ended"])
        compare(held, where, "announcement ended", ended, call.announcement[1])
    changes = [it for it in recording["changes"] if it["what"] in ("pause", "resume")]
    stars = [at for key, at in call.keys if key == "1"]
    if [it["what"] for it in changes] != ["pause", "resume"][: len(stars)]:
        held.wrong.append(f"{where}: changes {changes}, keys at {stars}")
    for change, at in zip(changes, stars, strict=False):
        compare(held, where, change["what"], datetime.fromisoformat(change["at"]), at)
