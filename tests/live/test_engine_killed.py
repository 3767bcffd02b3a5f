"""The engine is killed under live calls, at random moments: talks are not interrupted, records are as true.

KILLS=n: so many kills -9; LINES=n: so many calls beside each other. What the telephones saw is held against
the records. With -s it shows what there was. All telephones are in this process: with many lines, or beside
other tests, they are late by themselves (4 lines beside another test process: up to 0.5 s of silence), so the
test runs alone. LATE_SECONDS=0.05 is the promise.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from devkit.audio import levels
from devkit.carrier import Announces, Answers, Refuses
from devkit.handset import CallOver, Handset
from devkit.phones import shown
from storage.records import CallRecord
from tests.live.conversation import Wire
from tests.live.fragile import Fragile
from tests.live.service import CALLER_HZ, DESTINATION_HZ, House, Route, Service, new_caller, until

KILLS = int(os.environ.get("KILLS", "3"))
LINES = int(os.environ.get("LINES", "4"))
LATE = timedelta(seconds=float(os.environ.get("LATE_SECONDS", "0.2")))
SECONDS_BETWEEN = 2.0  # kills, on an average
TALKS = (1.0, 6.0)  # s
STILL = max(0.1, LATE.total_seconds())  # s without the other's tone: more is an interruption
WINDOW = 0.02
PRESENT = 0.1


@dataclass
class Seen:
    """A call as its telephones saw it."""

    number: str
    who: str
    caller: Handset
    destination: Handset | None = None
    talked: bool = False


@dataclass
class Field:
    """Everything that is called while the engine is killed."""

    service: Service
    routes: dict[str, Sequence[str]]  # number -> the destinations that may answer it
    seen: list[Seen] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)


def agree(service: Service, house: House) -> dict[str, Sequence[str]]:
    """Numbers whose calls are announced, ring one or several, hear early media, branch, and are recorded."""
    one, late, quick, after = (service.destination(Answers(seconds)) for seconds in (0.2, 2.0, 0.4, 0.3))
    busy, engaged = (
        service.destination(Refuses(486, after=0.5)),
        service.destination(Announces(700, 1.5, 486)),
    )
    shapes: list[tuple[Route, Sequence[str], str]] = [
        ([{"ring": one}], [one], "off"),
        ([{"announce": "long"}, {"ring": late}], [late], "off"),
        ([{"ring": {"to": [busy, quick, late]}}], [quick, late], "off"),
        ([{"ring": engaged}, {"ring": after}], [after], "off"),
        ([{"ring": late}], [late], "announce"),
    ]
    fallback = service.destination(Answers(0.2))
    numbers: dict[str, Sequence[str]] = {}
    for route, to, record in shapes:
        (number,) = house.agree(route, record=record, fallback=fallback)
        numbers[number] = [*to, fallback]
    return numbers


@pytest.mark.alone
async def test_an_engine_killed_at_any_moment_of_any_call_costs_nothing(
    service: Service, house: House, engine: Fragile, wire: Wire
) -> None:
    began = datetime.now(UTC)
    field = Field(service, agree(service, house))
    lines = [asyncio.create_task(keep_calling(field, line)) for line in range(LINES)]
    for _ in range(KILLS):
        await asyncio.sleep(random.expovariate(1 / SECONDS_BETWEEN))
        await engine.end()
        await asyncio.sleep(random.uniform(0, 1.5))
        await engine.start()
    field.over.set()
    await asyncio.gather(*lines)
    await until(service.is_empty, 30)
    await true_to_what_was_seen(field, wire, began)


async def keep_calling(field: Field, line: int) -> None:
    """One caller after another, each to any of the numbers, until it is over."""
    await asyncio.sleep(line * 0.1)
    who = new_caller()  # the stack has no room for a new one each call
    while not field.over.is_set():
        number = random.choice(list(field.routes))
        seen = Seen(number, who, await field.service.call(number, shown(who)))
        field.seen.append(seen)
        await talk(field, seen)


async def talk(field: Field, seen: Seen) -> None:
    """Wait for the answer, talk for a while, and hang up on either side."""
    caller = seen.caller
    try:
        await caller.wait_answered(25)
    except (CallOver, TimeoutError):
        await caller.hang_up()
        await caller.wait_ended()
        return
    seen.destination = await whom(field, seen)
    seen.talked = seen.destination is not None
    await asyncio.sleep(random.uniform(*TALKS))
    first = random.choice([caller, seen.destination or caller])
    await first.hang_up()
    await caller.wait_ended()


async def whom(field: Field, seen: Seen) -> Handset | None:
    """The telephone that this caller talks with: the one whose INVITE came of this call."""
    arrivals = [it for it in field.service.network.arrivals if it.number in field.routes[seen.number]]
    mine = [it for it in arrivals if it.at > seen.caller.began and seen.who in it.invite.one("from")]
    return next((it.handset for it in mine if it.handset and it.handset.answered), None)


async def true_to_what_was_seen(field: Field, wire: Wire, began: datetime) -> None:
    """Every call has one record, with the instants of its telephones, and no talk was interrupted."""
    records = await field.service.records(None, len(field.seen), 30, since=began - timedelta(seconds=1))
    assert len(records) == len(field.seen)
    outcomes = Counter((record.outcome, record.ended_by) for record in records)
    wrong = [it for seen in field.seen for it in problems(seen, record_of(seen, records), wire)]
    print(outcomes, f"{len(wrong)} wrong", *wrong, sep="\n")
    assert wrong == []


def record_of(seen: Seen, records: list[CallRecord]) -> CallRecord:
    """The record of this call, taken out of these. Who called is not known of a call that no engine saw."""
    of_number = [it for it in records if it.number == seen.number]
    late = timedelta(seconds=1)
    own = [it for it in of_number if it.caller == seen.who and abs(it.began - seen.caller.began) < late]
    nearest = min(
        own or [it for it in of_number if not it.caller], key=lambda it: abs(it.began - seen.caller.began)
    )
    records.remove(nearest)
    return nearest


def problems(seen: Seen, record: CallRecord, wire: Wire) -> list[str]:
    """What of the record is not as the telephones saw it."""
    found = []
    answered, ended = seen.caller.answered, seen.caller.ending
    if (record.answered is None) != (answered is None):
        found.append(f"{record.call_id}: answered {record.answered}, seen {answered}")
    elif record.answered is not None:
        found += far(record, "answered", record.answered, wire.first(seen.caller, "SIP/2.0 200", "INVITE"))
        both = [it for it in (seen.caller, seen.destination) if it is not None]
        found += far(record, "ended", record.ended, min(wire.first(it, "BYE", "BYE") for it in both))
    if ended is None:
        found.append(f"{record.call_id}: never ended")
    if seen.talked and seen.destination is not None:
        found += gaps(record, "caller", seen.caller, DESTINATION_HZ)
        found += gaps(record, "destination", seen.destination, CALLER_HZ)
    return found


def far(record: CallRecord, what: str, recorded: datetime | None, seen: datetime) -> list[str]:
    if recorded is not None and abs(recorded - seen) < LATE:
        return []
    return [f"{record.call_id}: {what} {recorded}, on the wire {seen}"]


def gaps(record: CallRecord, who: str, handset: Handset, hz: float) -> list[str]:
    """Where this telephone did not hear the other's tone, between its beginning and its end."""
    windows = levels(handset.heard, hz, WINDOW)
    there = [at for at, level in enumerate(windows) if level > PRESENT]
    if not there:
        return [f"{record.call_id}: the {who} heard nothing"]
    longest = max((after - before - 1 for before, after in pairwise(there)), default=0) * WINDOW
    return [f"{record.call_id}: the {who} heard nothing for {longest:.2f} s"] if longest > STILL else []
