"""What became of a call that Asterisk served alone, as its CEL tells it (asterisk/etc/cel_custom.conf)."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dialplan.result import Outcome, Result
from engine.ari.causes import Cause
from engine.served import Attempt, Served

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
    cause = int(hung_up.extra.get("hangupcause", 0)) or Cause.NORMAL
    attempt = _attempt(lines, dial, status, hung_up) if dial else None
    if attempt is None:
        result, by, cause = Result.UNREACHABLE, "engine", Cause.CONGESTION
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
    return Attempt(to[1], dial.at, answered, end.at if end else hung_up.at, outcome, cause or Cause.NORMAL)
