"""What there was, in some lines: calls, kills and what they hit, how far records and telephones differ."""

from collections import Counter
from collections.abc import Iterator, Sequence

from storage.records import CallRecord
from tests.live.traffic.lines import Report
from tests.live.traffic.seen import Seen, Span, phases
from tests.live.traffic.truth import Held

PHASES = (
    "announcing", "ringing", "early media", "consent", "talking", "recorded", "paused", "voicemail",
)  # fmt: skip


def hit(seen: Sequence[Seen], kills: Sequence[Span]) -> Counter[str]:
    """How many calls were in each phase at an instant of the kills."""
    spans = [(phase, span) for call in seen for phase, span in phases(call)]
    return Counter(phase for kill, _ in kills for phase, (since, until) in spans if since <= kill < until)


def live(seen: Sequence[Seen], kills: Sequence[Span]) -> list[int]:
    """How many calls lived at each of these instants."""
    return [sum(it.began <= kill < (it.ended or it.began) for it in seen) for kill, _ in kills]


def summary(
    reports: Sequence[Report], records: Sequence[CallRecord], kills: Sequence[Span], held: Held, left: int
) -> Iterator[str]:
    """`kills`: from each kill until the next engine was ready."""
    seen = [call for report in reports for call in report.seen]
    yield from _calls(seen, records)
    yield from _kills(seen, kills)
    yield from _differences(seen, held)
    yield f"{held.missing} records missing, {held.doubled} doubled; {left} channels left"
    yield f"of {held.unknown} legs that rang beside others at a kill it is not known when"
    yield f"{held.crossed} legs answered after Asterisk had cancelled them"
    late = 1000 * max(report.late for report in reports)
    dropped = sum(report.dropped for report in reports)
    yield f"telephones: {len(reports)} processes, late by {late:.0f} ms at most, {dropped} packets missed"


def _calls(seen: Sequence[Seen], records: Sequence[CallRecord]) -> Iterator[str]:
    talks = sum(bool(call.to) for call in seen)
    fallen = sum(leg.fallback for call in seen for leg in call.legs)
    recorded = sum(bool(record.recording_id) for record in records)
    messages = sum(bool(record.message_id) for record in records)
    yield f"{len(seen)} calls: {dict(Counter(call.script for call in seen))}"
    yield f"{talks} talks, {recorded} recorded; {messages} messages; {fallen} at the fallback"
    yield f"{len(records)} records: {dict(Counter((it.outcome, it.ended_by) for it in records))}"


def _kills(seen: Sequence[Seen], kills: Sequence[Span]) -> Iterator[str]:
    lived, phase = sorted(live(seen, kills)), hit(seen, kills)
    away = sorted(back - at for at, back in kills)
    yield f"{len(kills)} kills under {middle(lived)} live calls by median, {lived[0]} at least"
    yield f"the engine was away for {middle(away):.1f} s by median, {away[-1]:.1f} s at most"
    yield "calls at a kill: " + ", ".join(f"{name} {phase[name]}" for name in PHASES)


def _differences(seen: Sequence[Seen], held: Held) -> Iterator[str]:
    for who, gaps in (
        ("caller", [call.caller_silence for call in seen]),
        ("destination", [call.destination_silence for call in seen]),
    ):
        yield f"the {who} did not hear the other for {1000 * max(gaps):.0f} ms at most"
    for what, found in held.differences.items():
        low, high = 1000 * min(found)[0], 1000 * max(found)[0]
        yield f"{what}: recorded {low:+.1f} to {high:+.1f} ms after the telephones', {len(found)} times"


def middle[T](some: Sequence[T]) -> T:
    return some[len(some) // 2]
