"""Reconciliation: CEL, journal and call records of a period compared, and each difference explained.

Three witnesses of the same calls: Asterisk wrote CEL, the engine the journal, the worker the records. What
one of them has and another has not is a call that is billed wrongly, or not at all.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import asyncpg

from journal.cel import CelEvent
from journal.cel_calls import CelCall, cel_calls, cel_events
from journal.ended_calls import JournalledCalls, journalled_calls
from journal.ids import call_id_of
from storage import dead_letters
from storage.calls import find
from storage.records import CallRecord, call_record

NEAR = timedelta(seconds=1)  # between the same call's beginnings, where its id does not tell
DIFFERS = timedelta(milliseconds=50)
LONGEST_CALL = timedelta(hours=12)  # limits.max_call_minutes cannot be more
BY_HAND = "add it to the bill by hand; look in the engine's log of that minute for why"


class Kind(StrEnum):
    """What a difference is."""

    NO_RECORD = "no record"
    NO_CEL = "no CEL"
    DURATION = "duration"
    DEAD_LETTER = "dead letter"


@dataclass(frozen=True, slots=True)
class Difference:
    """A call of which not all three say the same. `what`: the difference. `why`: its cause, and a remedy."""

    kind: Kind
    call_id: str
    number: str
    began: datetime
    what: str
    why: str

    def __str__(self) -> str:
        when = self.began.isoformat(timespec="milliseconds")
        return f"{self.kind}: call {self.call_id} to {self.number} at {when}: {self.what}; {self.why}"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What there is of a node's calls, also of some outside the period.

    `reaches`: the oldest line of CEL that is still there. `dead`: why calls have dead letters, by their ids.
    """

    node: str
    cel: Sequence[CelCall]
    reaches: datetime | None
    journal: JournalledCalls
    records: Sequence[CallRecord]
    dead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`cel`, `records`: how many calls of the period each has."""

    cel: int
    records: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a node's CEL and journal lie on this host."""

    node: str
    cel: Path
    journal: Path


async def reconcile(
    con: asyncpg.Connection, sources: Sources, since: datetime, until: datetime
) -> Reconciliation:
    """Compare the calls that began in this period. Raises OSError, asyncpg's errors."""
    cel, reaches, journal = await asyncio.to_thread(read_files, sources, since - NEAR, until + NEAR)
    records = [
        record async for record in find(con, None, since - NEAR, until + NEAR) if record.node == sources.node
    ]
    dead = await dead_letters.reasons(con, sources.node)
    witnesses = Witnesses(sources.node, cel, reaches, journal, records, dead)
    return compare(witnesses, since, until)


def read_files(
    sources: Sources, since: datetime, until: datetime
) -> tuple[list[CelCall], datetime | None, JournalledCalls]:
    """CEL's calls that began in this period, its oldest line, and the journal. Raises OSError. Blocks."""
    oldest: datetime | None = None

    def dated() -> Iterator[CelEvent]:
        nonlocal oldest
        for event in cel_events(sources.cel, since - LONGEST_CALL):
            oldest = event.at if oldest is None else min(oldest, event.at)
            if event.at >= since:
                yield event

    calls = [call for call in cel_calls(dated()) if call.began < until]
    return calls, oldest, journalled_calls(sources.journal, since)


def compare(witnesses: Witnesses, since: datetime, until: datetime) -> Reconciliation:
    """The differences between these, of calls that began in this period."""
    pairs = matched(witnesses)
    in_period = [pair for pair in pairs if since <= pair.began < until]
    differences = [found for pair in in_period for found in differences_of(pair, witnesses)]
    return Reconciliation(
        cel=sum(pair.cel is not None for pair in in_period),
        records=sum(pair.record is not None for pair in in_period),
        differences=tuple(sorted(differences, key=lambda it: (it.began, it.call_id))),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """One call, as CEL and as its record."""

    call_id: str
    cel: CelCall | None
    record: CallRecord | None

    @property
    def began(self) -> datetime:
        if self.cel is not None:
            return self.cel.began
        assert self.record is not None  # noqa: S101 - a pair has one of them
        return self.record.began


def matched(witnesses: Witnesses) -> list[Pair]:
    """Find each call's record: by its id, which is made of the channel's; else by number and beginning.

    The ids of two calls differ from their channel's where Asterisk gave one channel id to both.
    """
    by_id = {record.call_id: record for record in witnesses.records}
    pairs, unmatched = [], []
    for call in witnesses.cel:
        call_id = call_id_of(call.channel, witnesses.node)
        record = by_id.get(call_id)
        if record is not None and abs(record.began - call.began) < NEAR:
            pairs.append(Pair(call_id, call, by_id.pop(call_id)))
        else:
            unmatched.append(call)
    for call in unmatched:
        record = next((it for it in by_id.values() if is_same(call, it)), None)
        call_id = record.call_id if record else call_id_of(call.channel, witnesses.node)
        pairs.append(Pair(call_id, call, by_id.pop(call_id, None) if record else None))
    return [*pairs, *(Pair(record.call_id, None, record) for record in by_id.values())]


def is_same(call: CelCall, record: CallRecord) -> bool:
    """Whether number and beginning are those of this record. A number may be dialled in national form."""
    dialled = call.number.lstrip("+0")
    return bool(dialled) and record.number.endswith(dialled) and abs(record.began - call.began) < NEAR


def differences_of(pair: Pair, witnesses: Witnesses) -> Iterator[Difference]:
    """What is wrong with this call, if anything."""
    if pair.call_id in witnesses.dead:
        number = pair.record.number if pair.record else pair.cel.number if pair.cel else ""
        what = "it has a dead letter, so it has no record, or not a whole one"
        why = f"{witnesses.dead[pair.call_id]}; the table dead_letter has its entries, see `callengine audit`"
        yield Difference(Kind.DEAD_LETTER, pair.call_id, number, pair.began, what, why)
    elif pair.record is None and pair.cel is not None:
        yield from without_record(pair.call_id, pair.cel, witnesses)
    elif pair.cel is None and pair.record is not None:
        yield from without_cel(pair.record, witnesses)
    elif pair.cel is not None and pair.record is not None:
        yield from other_duration(pair.cel, pair.record)


def without_record(call_id: str, call: CelCall, witnesses: Witnesses) -> Iterator[Difference]:
    """CEL has the call. One that the dialplan refused has no record, on purpose; one that lives, not yet."""
    state = witnesses.journal.ended.get(call_id)
    if state is not None:
        what = f"the journal has it whole: {outcome_of(call_record(state))}"
        why = "the worker has not stored it: drain_backlog_bytes and the worker's log say why"
    elif call_id in witnesses.journal.open_calls:
        if call.ended is None:
            return
        what = f"CEL has its end at {call.ended.isoformat()}, the journal has it as live"
        why = "the engine is away or does not read CEL (`cel_unreadable`); it ends the call when it does"
    elif call.refused:
        return
    else:
        what = f"no engine journalled it: {duration_of(call)}"
        why = BY_HAND
    yield Difference(Kind.NO_RECORD, call_id, call.number, call.began, what, why)


def without_cel(record: CallRecord, witnesses: Witnesses) -> Iterator[Difference]:
    """No line says that the call began. Where CEL does not reach back so far, that says nothing."""
    if witnesses.reaches is None or record.began - NEAR < witnesses.reaches:
        return
    what = f"recorded as {outcome_of(record)}"
    why = "the CEL file was cut or taken away (full disk, a foreign rotation), or Asterisk could not write it"
    yield Difference(Kind.NO_CEL, record.call_id, record.number, record.began, what, why)


def other_duration(call: CelCall, record: CallRecord) -> Iterator[Difference]:
    """The billed duration. CEL's says nothing where the clock was set, or where Asterisk died in the call."""
    if record.clock or call.ended is None or abs(call.talk - record.talk) <= DIFFERS:
        return
    what = f"CEL has {call.talk.total_seconds():.3f} s, the record {record.talk.total_seconds():.3f} s"
    if record.ended_by == "lost":
        why = "the record is of a lost call, but CEL has its end: it was read too late; bill what CEL has"
    elif (call.answered is None) != (record.answered is None):
        why = "one of the two was never answered; look at the legs: `callengine calls --format json`"
    else:
        why = "look at the call's entries and lines; until that is explained bill the shorter one"
    yield Difference(Kind.DURATION, record.call_id, record.number, record.began, what, why)


def outcome_of(record: CallRecord) -> str:
    return f"{record.outcome}, {record.talk.total_seconds():.3f} s, ended by {record.ended_by}"


def duration_of(call: CelCall) -> str:
    """What CEL says of the call, for somebody who has nothing else."""
    if call.answered is None:
        return "never answered"
    if call.ended is None:
        return f"answered at {call.answered.isoformat()}, and without an end"
    return f"answered for {call.talk.total_seconds():.3f} s"
