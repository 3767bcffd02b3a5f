"""A call that Asterisk served alone, at its number's fallback, and what the journal is told of it.

Asterisk takes a caller there when no engine is there, or when one has lost its lease.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dialplan.number import international
from dialplan.result import Outcome, Result
from journal.entries import Entry
from journal.ids import call_id_of

if TYPE_CHECKING:
    from engine.call import Desk


@dataclass(frozen=True, slots=True)
class Attempt:
    """The fallback, dialled."""

    to: str
    began: datetime
    answered: datetime | None
    ended: datetime
    outcome: Outcome
    cause: int


@dataclass(frozen=True, slots=True)
class Served:
    """A call that went to its fallback, to its end. `attempt` is None where the number has no fallback."""

    channel: str
    dialled: str
    began: datetime
    ended: datetime
    result: Result
    by: str
    cause: int
    attempt: Attempt | None


def entries_of(it: Served, call_id: str) -> Iterator[Entry]:
    """What the journal is told of it, between the call's start and its end."""
    if (leg := it.attempt) is None:
        return
    leg_id = f"{call_id}-f1"
    yield _entry(call_id, "leg_start", leg.began, leg=leg_id, to=leg.to)
    if leg.answered:
        yield _entry(call_id, "leg_answer", leg.answered, leg=leg_id)
        yield _entry(call_id, "answered", leg.answered, to=leg.to)
    yield _entry(call_id, "leg_end", leg.ended, leg=leg_id, outcome=leg.outcome, cause=leg.cause)


async def record(it: Served, desk: "Desk", country: str) -> None:
    """Tell the journal of a call that no engine has seen. Who called is not in CEL."""
    call_id, number = call_id_of(it.channel, desk.node), international(it.dialled, country)
    known: dict[str, Any] = {"number": number, "owner": "", "caller": "", "withheld": False}
    if (agreed := desk.agreed(number)) is not None:
        known |= {"number": agreed.number.number, "owner": agreed.number.owner}
        if agreed.owner.missed_calls == "mail":
            known["missed"] = agreed.number.delivery(agreed.owner).as_json()
    desk.note(_entry(call_id, "call_start", it.began, channel=it.channel, node=desk.node, **known))
    for entry in entries_of(it, call_id):
        desk.note(entry)
    await desk.note(_entry(call_id, "call_end", it.ended, outcome=it.result, ended_by=it.by, cause=it.cause))


def _entry(call_id: str, kind: str, at: datetime, **facts: Any) -> Entry:
    return {"call": call_id, "kind": kind, "at": at.isoformat(), **facts}
