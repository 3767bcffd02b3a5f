"""The engine is killed under live calls, at random moments: talks are not interrupted, records are as true.

KILLS=n: so many kills -9; LINES=n: so many calls beside each other. What the telephones saw is held against
the records. With -s it shows what there was.
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from engine.dev.audio import levels
from engine.dev.carrier import Announces, Answers, Refuses
from engine.dev.handset import CallOver, Handset
from engine.dev.phones import shown
from storage.records import CallRecord
from tests.live.conversation import NEAR, Wire
from tests.live.fragile import Fragile
from tests.live.service import CALLER_HZ, DESTINATION_HZ, House, Route, Service, new_caller, until

KILLS = int(os.environ.get("KILLS", "4"))
LINES = int(os.environ.get("LINES", "12"))
SECONDS_BETWEEN = 2.0  # kills, on an average
TALKS = (1.0, 6.0)  # s
STILL = 0.1  # s without the other's tone are an interruption
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
    numbers: dict[str, Sequence[str]] = {}
    for route, to, record in shapes:
        (number,) = house.agree(route, record=record)
        numbers[number] = to
    return numbers


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
    of_caller: defaultdict[str, list[CallRecord]] = defaultdict(list)
    for record in records:  # oldest first, as each caller has called
        of_caller[record.caller].append(record)
    wrong = [it for seen in field.seen for it in problems(seen, of_caller[seen.who].pop(0), wire)]
    print(Counter(record.outcome for record in records), f"{len(wrong)} wrong")
    assert wrong == []


def problems(seen: Seen, record: CallRecord, wire: Wire) -> list[str]:
    """What of the record is not as the telephones saw it."""
    found = []
    answered, ended = seen.caller.answered, seen.caller.ending
    if (record.answered is None) != (answered is None):
        found.append(f"{record.call_id}: answered {record.answered}, seen {answered}")
    elif record.answered is not None:
        found += far(record, "answered", record.answered, wire.first(seen.caller, "SIP/2.0 200", "INVITE"))
        found += far(record, "ended", record.ended, wire.first(seen.caller, "BYE", "BYE"))
    if ended is None:
        found.append(f"{record.call_id}: never ended")
    if seen.talked and seen.destination is not None:
        found += gaps(record, "caller", seen.caller, DESTINATION_HZ)
        found += gaps(record, "destination", seen.destination, CALLER_HZ)
    return found


def far(record: CallRecord, what: str, recorded: datetime | None, seen: datetime) -> list[str]:
    if recorded is not None and abs(recorded - seen) < NEAR:
        return []
    return [f"{record.call_id}: {what} {recorded}, on the wire {seen}"]


def gaps(record: CallRecord, who: str, handset: Handset, hz: float) -> list[str]:
    """Where this telephone did not hear the other's tone, between its beginning and its end."""
    windows = levels(handset.heard, hz, STILL)
    there = [at for at, level in enumerate(windows) if level > PRESENT]
    if not there:
        return [f"{record.call_id}: the {who} heard nothing"]
    silent = [at for at in range(there[0] + 1, there[-1]) if windows[at] <= PRESENT]
    return [f"{record.call_id}: the {who} heard nothing for {len(silent) * STILL:.1f} s"] if silent else []
