"""What became of a call that Asterisk served alone, as its CEL tells it (asterisk/etc/cel_custom.conf).

Asterisk takes a caller to the number's fallback when no engine is there, or when one has lost its lease.
Times are those of CEL, microseconds of Asterisk's clock.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dialplan.number import international
from dialplan.result import Outcome, Result
from engine.ids import call_id_of
from storage.records import Entry

if TYPE_CHECKING:
    from engine.call import Desk

CONTEXT = "fallback"  # of extensions.conf
DIALLED = re.compile(r"/(\+?[0-9]{3,20})@", re.ASCII)
# DIALSTATUS of Dial(): what came of its one destination, and of the call.
OUTCOMES: Mapping[str, tuple[Outcome, Result]] = {
    "BUSY": (Outcome.BUSY, Result.BUSY),
    "NOANSWER": (Outcome.NO_ANSWER, Result.NO_ANSWER),
    "CANCEL": (Outcome.NO_ANSWER, Result.ABANDONED),
    "CONGESTION": (Outcome.UNREACHABLE, Result.UNREACHABLE),
    "CHANUNAVAIL": (Outcome.UNREACHABLE, Result.UNREACHABLE),
}
NORMAL_CLEARING = 16
NO_FALLBACK_CAUSE = 34  # extensions.conf: 503, so that the carrier tries elsewhere


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of CEL. `call`: the channel of the caller; `to`: what Dial is given, of its start alone.

    `channel` is an id, `name` what Asterisk calls it: hang-ups are told with the name of who hung up.
    """

    kind: str
    at: datetime
    channel: str
    call: str
    extra: Mapping[str, Any]
    context: str
    exten: str
    to: str
    name: str


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


def seen(line: str) -> Seen:
    """Raises ValueError for a line that is none of ours, or is cut."""
    try:
        kind, at, channel, call, extra, context, exten, to, name = next(csv.reader([line]))
        told = json.loads(extra) if extra else {}
    except StopIteration:
        raise ValueError("an empty line") from None
    return Seen(kind, datetime.fromtimestamp(float(at), UTC), channel, call, told, context, exten, to, name)


def served(lines: Sequence[Seen]) -> Served | None:
    """What all lines of one call tell, in their order; None if the engine had it to its end."""
    caller = [it for it in lines if it.channel == it.call]
    hung_up = next((it for it in reversed(caller) if it.kind == "HANGUP"), None)
    alone = [it for it in caller if it.context == CONTEXT]
    if hung_up is None or not alone:
        return None
    dial = next((it for it in alone if it.kind == "APP_START"), None)
    status = str(hung_up.extra.get("dialstatus", ""))
    cause = int(hung_up.extra.get("hangupcause", 0)) or NORMAL_CLEARING
    attempt = _attempt(lines, dial, status, hung_up) if dial else None
    if attempt is None:
        result, by, cause = Result.UNREACHABLE, "engine", NO_FALLBACK_CAUSE
    elif attempt.answered:
        result, by = Result.ANSWERED, _who(hung_up, lines)
    else:
        result = OUTCOMES.get(status, (None, Result.ABANDONED))[1]
        by = "caller" if result is Result.ABANDONED else "engine"
    return Served(hung_up.call, alone[0].exten, caller[0].at, hung_up.at, result, by, cause, attempt)


def _who(hung_up: Seen, lines: Sequence[Seen]) -> str:
    """Who ended a conversation: neither of the two, if it was Asterisk, after its longest time."""
    source = hung_up.extra.get("hangupsource")
    if source == hung_up.name:
        return "caller"
    return "destination" if source in {it.name for it in lines} else "limit"


def _attempt(lines: Sequence[Seen], dial: Seen, status: str, hung_up: Seen) -> Attempt | None:
    """Dial's own channel is the first that begins after it."""
    to = DIALLED.search(dial.to)
    leg = next((it.channel for it in lines if it.kind == "CHAN_START" and it.at >= dial.at), None)
    of_leg = {it.kind: it for it in lines if it.channel == leg}
    if to is None:
        return None
    end = of_leg.get("HANGUP")
    answered = of_leg["ANSWER"].at if "ANSWER" in of_leg else None
    outcome = Outcome.TAKEN if answered else OUTCOMES.get(status, (Outcome.NO_ANSWER, None))[0]
    cause = int(end.extra.get("hangupcause", 0)) if end else 0
    return Attempt(to[1], dial.at, answered, end.at if end else hung_up.at, outcome, cause or NORMAL_CLEARING)


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
