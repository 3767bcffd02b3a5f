"""The one oracle of all fault tests: what holds of every run, whatever was broken in it.

Each invariant is a function of what was observed, and returns its violations as sentences. The numbers and
what they promise stand in docs/reliability.md.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from storage.reconciliation import Difference
from storage.records import CallRecord
from tests.faults.observed import SETTLING, Absence, Observed
from tests.live.traffic.seen import Seen, phases
from tests.live.traffic.truth import SAME_CALL, hold

EXACT = 0.05  # s
LATE = 1.0  # s: the end of a call in which Asterisk died is known to half a second
# s without a sign of life: Asterisk, which counts seconds, knows that no engine is there. One that was
# stopped in order is expected back for 5 s.
KNOWN_AWAY = {"killed": 4.1, "frozen": 4.1, "stopped": 9.1}
AT_ONCE = 0.3  # s until the fallback is called, where the engine is known to be away
SOON = 2.0  # s until it is, where the engine has just died or frozen: the door's lease (extensions.conf)
RETURNS = 5.7  # s until it is, where the engine was stopped in order, or its disk hangs
SYNC = 1.0  # s more, if an engine is stopped that waits for a disk which hangs
LEAST_SPOKEN = 1.0  # s: less is no message
LOST_OF_MESSAGE, LOST_OF_RECORDING = 2.1, 1.05  # s that a killed Asterisk has not written yet
SLACK = 0.4  # s by which a sound may be shorter than what was said: beep, beginning, end
HEARD = 0.5  # of what a side said in a recorded talk, at least: on a busy machine packets are lost
ON_TIME = 60.0  # s after its deadline a recording cannot be opened
Invariant = Callable[[Observed], Iterator[str]]


def judge(it: Observed) -> dict[str, list[str]]:
    """The violations of each invariant, by its name; none of those that hold."""
    found = {name: list(invariant(it)) for name, invariant in INVARIANTS.items()}
    return {name: violations for name, violations in found.items() if violations}


def called(call: Seen) -> str:
    return f"{call.script} to {call.number} at {call.began:.3f}"


def one_record(it: Observed) -> Iterator[str]:
    """V1: every call that was answered has exactly one record, with its true duration; damage is reported."""
    yield from it.unreported
    for call in it.calls:
        if call.answered is None:
            continue
        records = it.records_of(call)
        if len(records) != 1:
            yield f"{called(call)} was answered and has {len(records)} records"
        else:
            yield from _duration(it, call, call.answered, records[0])


def _duration(it: Observed, call: Seen, answered: float, record: CallRecord) -> Iterator[str]:
    ended, exact = call.ended or answered, EXACT + it.late
    death, frozen = it.death(call), it.stood_still(call)
    if death is not None:
        ended, exact = death.since, LATE + it.late
        if record.ended_by != "lost":
            yield f"{called(call)}: Asterisk died in it, and its record says that {record.ended_by} ended it"
    elif frozen is not None:  # it sees a hang-up when it runs again
        exact += frozen.until - frozen.since
    by = record.talk.total_seconds() - (ended - answered)
    if not -exact - (it.unseen(death) if death else 0.0) <= by <= exact:
        yield f"{called(call)}: its record is {by:+.3f} s too long"


def served(it: Observed) -> Iterator[str]:
    """V2: every caller is served, by the engine or by Asterisk alone, without waiting for a dead engine."""
    for call in it.calls:
        if any(away.touches(call.began, call.began + RETURNS) for away in it.of("asterisk")):
            continue
        waited = _first_sign(call)
        limit, why = _patience(it, call)
        gave_up = call.ended_by == "caller" and call.ended is not None and call.ended - call.began < limit
        if waited is None and not gave_up:
            yield f"{called(call)}: nothing was heard and nobody called ({why})"
        elif waited is not None and waited > limit:
            yield f"{called(call)}: served after {waited:.3f} s, not {limit:.3f} s ({why})"


def _first_sign(call: Seen) -> float | None:
    """After how many seconds something happened for the caller: a sound, an answer, a called destination."""
    signs = [leg.began for leg in call.legs]
    signs += [call.sounds[0][0]] if call.sounds else []
    signs += [call.answered] if call.answered else []
    return min(signs) - call.began if signs else None


def _patience(it: Observed, call: Seen) -> tuple[float, str]:
    span = (call.began - AT_ONCE, call.began + RETURNS)
    stopped = any(away.touches(*span) for away in it.of("engine", "stopped"))
    if any(away.touches(*span) for away in it.of("disk")):
        return RETURNS + SYNC * stopped + it.late, "the engine's disk hung"
    for away in it.of("engine", *KNOWN_AWAY):
        if away.since + KNOWN_AWAY[away.how] < call.began and call.began + SETTLING + it.late < away.until:
            return AT_ONCE + it.late, "the engine was known to be away"
    if stopped:
        return RETURNS + it.late, "the engine was expected back"
    return SOON + it.late, "the engine was there, or had just gone"


def messages_delivered(it: Observed) -> Iterator[str]:
    """V3: every message is delivered, once, with all that was said."""
    for call in it.calls:
        least = _least_of_message(it, call)
        if call.answered is None or call.to or least < LEAST_SPOKEN:
            continue
        mails = [mail for mail in it.mails if mail.voices.get(call.voices[0])]
        if not mails:
            yield f"{called(call)}: {call.spoken:.1f} s were said, and no mail has them"
            continue
        if len(mails) > 1 and not _answer_lost(it):
            yield f"{called(call)}: its message was mailed {len(mails)} times"
        if len({(mail.message_id, mail.content) for mail in mails}) > 1:
            yield f"{called(call)}: a repeated mail is another mail"
        heard = max(mail.voices[call.voices[0]] for mail in mails)
        if heard < least:
            yield f"{called(call)}: {call.spoken:.1f} s were said, the mail has {heard:.1f} s of them"


def _least_of_message(it: Observed, call: Seen) -> float:
    """How much of what the caller said must be in the message: in s.

    What was said after Asterisk had died is lost; so is that of a standstill in which the caller hung up:
    Asterisk reads the hang-up first.
    """
    if call.ended is None:
        return call.spoken - SLACK
    if (death := it.death(call)) is not None:
        return call.spoken - (call.ended - death.since) - LOST_OF_MESSAGE
    ends = (still for still in it.of("asterisk", "frozen") if still.since <= call.ended < still.until)
    return call.spoken - sum(call.ended - still.since for still in ends) - SLACK


def _answer_lost(it: Observed) -> list[Absence]:
    """Where nobody can know whether a mail was taken: its answer was lost, or not stored (RFC 1047)."""
    return [
        *it.of("mail", "answer lost", "away", "black hole"),
        *it.of("worker", "killed"),
        *it.of("postgres", "killed", "black hole"),
    ]


def nothing_kept(it: Observed) -> Iterator[str]:
    """V4: what must be gone is left nowhere, and what is gone is proved."""
    stored = it.stored
    yield from (f"in plain: {trace}" for trace in stored.traces)
    yield from (f"audit: {finding}" for finding in stored.findings)
    for audio in stored.audio.values():
        if audio.state == "destroyed":
            yield from _destruction(it, audio.audio_id, f"{audio.kind}/{audio.audio_id}")
        elif audio.kind == "message" or audio.state != "stored":
            yield f"{audio.audio_id} has come to no end: it is {audio.state}"
    known = {f"{audio.kind}/{audio.audio_id}" for audio in stored.audio.values()}
    yield from (f"object {name} belongs to nothing" for name in sorted(stored.objects - known))


def _destruction(it: Observed, audio_id: str, name: str) -> Iterator[str]:
    if name in it.stored.objects:
        yield f"{audio_id} is destroyed, and its object is there"
    if audio_id in it.stored.keys:
        yield f"{audio_id} is destroyed, and its key is there"
    if audio_id not in it.stored.tombstones:
        yield f"{audio_id} is destroyed, and has no tombstone"


def recordings_kept(it: Observed) -> Iterator[str]:
    """V5: every recorded talk can be heard until its deadline, both sides of it, and not after."""
    for call in it.calls:
        lasted = _recorded_seconds(it, call)
        if lasted <= 0:
            continue
        ids = {record.recording_id for record in it.records_of(call) if record.recording_id}
        if ids & it.lost:
            continue
        audio = next((it.stored.audio[one] for one in ids if one in it.stored.audio), None)
        if audio is None:
            yield f"{called(call)}: {lasted:.1f} s were recorded, and there is no recording"
        elif audio.due is not None and audio.due < it.now:
            if audio.voices is not None and audio.due + ON_TIME < it.now:
                yield f"{audio.audio_id} can be opened {it.now - audio.due:.0f} s after its deadline"
        elif audio.state != "stored" or audio.voices is None:
            yield f"{called(call)}: recording {audio.audio_id} is {audio.state} and cannot be heard"
        else:
            for who, name, share in zip(("caller", "destination"), call.voices, call.shares, strict=True):
                heard = audio.voices.get(name, 0.0)
                if heard < HEARD * share * lasted:
                    yield f"{called(call)}: {lasted:.1f} s were recorded, {heard:.1f} s of the {who} are kept"


def _recorded_seconds(it: Observed, call: Seen) -> float:
    """How much of this call must be in its recording, at least."""
    if call.announcement is None or not call.to:
        return 0.0
    lost, ended = SLACK, float("inf")
    if (death := it.death(call)) is not None:
        lost, ended = SLACK + LOST_OF_RECORDING, death.since
    spans = [(since, min(until, ended)) for phase, (since, until) in phases(call) if phase == "recorded"]
    return sum(max(until - since - it.frozen_seconds(since, until), 0.0) for since, until in spans) - lost


def announced(it: Observed) -> Iterator[str]:
    """V6: nothing is recorded that was not announced, and nothing from before the announcement's end."""
    by_recording = {record.recording_id: record for record in it.records if record.recording_id}
    calls = {record.call_id: call for call in it.calls for record in it.records_of(call)}
    for audio in it.stored.audio.values():
        if audio.kind != "recording":
            continue
        record = by_recording.get(audio.audio_id)
        call = calls.get(record.call_id) if record else None
        if call is None:
            continue  # of traffic that nobody looked at: V1 and V9 find what has no call
        if call.announcement is None:
            yield f"{called(call)} is recorded, and no destination heard the announcement to its end"
        elif audio.began < call.announcement[1] - EXACT - it.late:
            early = call.announcement[1] - audio.began
            yield f"{called(call)} is recorded from {early:.3f} s before the announcement's end"


def withheld_nowhere(it: Observed) -> Iterator[str]:
    """V7: a withheld number stands nowhere."""
    for number, places in it.withheld.items():
        yield from (f"the withheld number {number} stands in {place}" for place in places)


def nothing_left(it: Observed) -> Iterator[str]:
    """V8: a minute after the last call nothing of it is left over."""
    left = it.left
    for kind, names in (
        ("channel", left.channels),
        ("bridge", left.bridges),
        ("call of the engine", left.calls),
        ("lease", left.leases),
        ("file in the spool", left.spool),
        ("draft", left.drafts),
    ):
        yield from (f"{kind} {name} is left" for name in names)


def all_agree(it: Observed) -> Iterator[str]:
    """V9: telephones, CEL and records say the same of every call that Asterisk was there for all the time."""
    touched = [call for call in it.calls if _was_touched(it, call)]
    of_touched = {id(record) for call in touched for record in it.records_of(call)}
    calls = [call for call in it.calls if call not in touched]
    records = [record for record in it.records if id(record) not in of_touched]
    held = hold(calls, records, it.recordings, list(map(it.forgets, it.of("engine"))))
    yield from held.wrong
    yield from held.far(EXACT + it.late)
    counted = Counter(record.call_id for record in it.records)
    yield from (f"{call_id} has {n} records" for call_id, n in counted.items() if n > 1)
    differing = [one for one in it.differences if not it.is_cut(one) and not _is_of(one, touched)]
    yield from (f"reconciliation: {one}" for one in differing)
    for call in calls:
        yield from _as_in_cel(it, call)


def _was_touched(it: Observed, call: Seen) -> bool:
    """Whether Asterisk ended or stood still in this call, or was not there to take it."""
    ended = (call.ended or call.began) + EXACT
    return any(away.touches(call.began - EXACT, ended) for away in it.of("asterisk"))


def _is_of(difference: Difference, calls: Sequence[Seen]) -> bool:
    began = difference.began.timestamp()
    return any(call.number == difference.number and abs(call.began - began) < SAME_CALL for call in calls)


def _as_in_cel(it: Observed, call: Seen) -> Iterator[str]:
    if call.answered is None:
        return
    near_enough = EXACT + it.late
    near = [one for one in it.cel_of(call) if abs(one.began.timestamp() - call.began) < near_enough]
    if len(near) != 1:
        yield f"{called(call)} is in CEL {len(near)} times"
        return
    (cel,) = near
    for what, instant, seen in (("answer", cel.answered, call.answered), ("end", cel.ended, call.ended)):
        by = instant.timestamp() - seen if instant and seen else float("inf")
        if abs(by) > near_enough:
            yield f"{called(call)}: CEL has its {what} {by:+.3f} s after the telephone"


INVARIANTS: dict[str, Invariant] = {
    "V1": one_record,
    "V2": served,
    "V3": messages_delivered,
    "V4": nothing_kept,
    "V5": recordings_kept,
    "V6": announced,
    "V7": withheld_nowhere,
    "V8": nothing_left,
    "V9": all_agree,
}
