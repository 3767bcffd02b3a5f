"""Reconciliation: CEL, journal and call records of a period compared, and each difference explained.

Three witnesses of the same calls: Asterisk wrote CEL, the engine the journal, the worker the records. What
one of them has and another has not is a call that is billed wrongly, or not at all.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import asyncpg

from journal.cel import CelEvent
from journal.cel_calls import CelCall, cel_calls, cel_events
from journal.ended_calls import JournalledCalls, journalled_calls
from journal.ids import call_id_of
from storage import dead_letters
from storage.calls import find, get
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
    """What there is beside CEL and records.

    `reaches`: the oldest line of CEL that is still there. `dead`: why calls have dead letters, by their ids.
    `journal`: of the calls without a record.
    """

    reaches: datetime | None
    dead: Mapping[str, str] = field(default_factory=dict)
    journal: JournalledCalls = field(default_factory=JournalledCalls)


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
    """Compare the calls that began in this period. Raises OSError, asyncpg's errors.

    Of the calls that agree only CEL's instants are in memory: a busy node has hundreds of thousands in two
    hours. The journal is read if a record is missing, for that call.
    """
    cel, reaches = await asyncio.to_thread(read_cel, sources, since - NEAR, until + NEAR)
    dead = await dead_letters.reasons(con, sources.node)
    comparison = Comparison(sources.node, cel, Witnesses(reaches, dead), since, until)
    async for record in find(con, None, since - NEAR, until + NEAR):
        if record.node == sources.node:
            comparison.add(record)
    missing = comparison.without_record()
    journal = await asyncio.to_thread(journalled_calls, sources.journal, since - NEAR, missing)
    for call_id in journal.ended:
        if (stored := await get(con, UUID(call_id))) is not None:  # meanwhile
            comparison.add(stored)
    return comparison.result(journal)


def read_cel(sources: Sources, since: datetime, until: datetime) -> tuple[list[CelCall], datetime | None]:
    """CEL's calls that began in this period, and its oldest line. Raises OSError. Blocks."""
    oldest: datetime | None = None

    def dated() -> Iterator[CelEvent]:
        nonlocal oldest
        for event in cel_events(sources.cel, since - LONGEST_CALL):
            oldest = event.at if oldest is None else min(oldest, event.at)
            if event.at >= since:
                yield event

    calls = [call for call in cel_calls(dated()) if call.began < until]
    return calls, oldest


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


class Comparison:
    """Compares CEL's calls with records, which come one by one. `add` all records, then ask for the `result`.

    A record is found by its id, which is made of the channel's; else by number and beginning. The ids of two
    calls differ from their channel's where Asterisk gave one channel id to both.
    """

    def __init__(
        self, node: str, cel: Sequence[CelCall], witnesses: Witnesses, since: datetime, until: datetime
    ) -> None:
        self._node = node
        self._witnesses = witnesses
        self._since, self._until = since, until
        self._calls: defaultdict[str, list[CelCall]] = defaultdict(list)
        for call in cel:
            self._calls[call_id_of(call.channel, node)].append(call)
        self._records: list[CallRecord] = []  # of no call of CEL, by the id
        self._differences: list[Difference] = []
        self._counted: Counter[str] = Counter()

    def add(self, record: CallRecord) -> None:
        """Compare one record."""
        calls = self._calls.get(record.call_id, [])
        call = next((it for it in calls if abs(record.began - it.began) < NEAR), None)
        if call is None:
            self._records.append(record)
            return
        calls.remove(call)
        self._compare(Pair(record.call_id, call, record), self._witnesses)

    def without_record(self) -> frozenset[str]:
        """Return the ids of the calls that only CEL has, so far."""
        return frozenset(call_id for call_id, calls in self._calls.items() if calls)

    def result(self, journal: JournalledCalls) -> Reconciliation:
        """Compare what is left; return all differences of calls that began in the period."""
        witnesses = replace(self._witnesses, journal=journal)
        for pair in self._left():
            self._compare(pair, witnesses)
        return Reconciliation(
            cel=self._counted["cel"],
            records=self._counted["records"],
            differences=tuple(sorted(self._differences, key=lambda it: (it.began, it.call_id))),
        )

    def _left(self) -> Iterator[Pair]:
        by_id = {record.call_id: record for record in self._records}
        for call_id, calls in self._calls.items():
            for call in calls:
                record = next((it for it in by_id.values() if is_same(call, it)), None)
                yield Pair(record.call_id if record else call_id, call, record)
                if record:
                    del by_id[record.call_id]
        yield from (Pair(record.call_id, None, record) for record in by_id.values())

    def _compare(self, pair: Pair, witnesses: Witnesses) -> None:
        if self._since <= pair.began < self._until:
            self._counted["cel"] += pair.cel is not None
            self._counted["records"] += pair.record is not None
            self._differences += differences_of(pair, witnesses)


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
