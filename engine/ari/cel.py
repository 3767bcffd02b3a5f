"""One record of Asterisk's CEL, as asterisk/etc/cel_custom.conf writes it, and its parser.

Below it the parser of the format before that one; only engine/ari/witness.py uses it.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dialplan.result import Outcome, Result
from engine.ari.causes import Cause
from engine.served import Attempt, Served

# The names in main/cel.c. Every other name is one that our dialplan gave to CELGenUserEvent.
NAMES = """
CHAN_START CHAN_END ANSWER HANGUP BRIDGE_ENTER BRIDGE_EXIT CONF_START CONF_END APP_START APP_END
PARK_START PARK_END BLINDTRANSFER ATTENDEDTRANSFER PICKUP FORWARD LINKEDID_END LOCAL_OPTIMIZE
LOCAL_OPTIMIZE_BEGIN STREAM_BEGIN STREAM_END DTMF
"""
BUILT_IN = frozenset(NAMES.split())
START = r'"[A-Za-z][A-Za-z0-9_]{0,39}","[0-9]{1,11}\.[0-9]{6}",'
TEXT = r'"([^"]*(?:""[^"]*)*)"'
RECORD = re.compile(r'"(\w+)","(\d+)\.(\d+)",' + ",".join([TEXT] * 6), re.ASCII)
STARTS = re.compile(START.encode())
CHANNEL_ID = re.compile(r"[!-~]{1,149}")  # AST_MAX_PUBLIC_UNIQUEID of channel.h
EXTENSION = re.compile(r"[!-~]{0,80}")  # AST_MAX_EXTENSION of channel.h


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One event of one channel.

    `kind`: a name of BUILT_IN, or the name that the dialplan gave to its user event.
    `at`: when Asterisk saw it, by its clock, to the microsecond. A user event has the time of its writing.
    `channel`: the channel's id; `call`: that of the caller's channel (linkedid).
    `name`: the channel's name, as in PJSIP/trunk-00000001.
    `extra`: for HANGUP hangupcause (int, Q.850), hangupsource (a channel's name) and dialstatus; for
    BRIDGE_ENTER bridge_id and bridge_technology; for a user event the key=value pairs of its text, all str.
    `context`, `exten`: where in the dialplan the channel was.
    """

    kind: str
    at: datetime
    channel: str
    call: str
    name: str
    context: str
    exten: str
    extra: Mapping[str, Any]

    @property
    def is_of_caller(self) -> bool:
        """Whether this is the caller's own channel."""
        return self.channel == self.call


def parse(record: bytes) -> CelEvent:
    """Parse one record without its newline. Raise ValueError for everything that is not one whole record."""
    match = RECORD.fullmatch(record.decode())
    if match is None or STARTS.match(record) is None:
        raise ValueError("not a CEL record")
    kind, seconds, micros, *texts = match.groups()
    channel, call, name, context, exten, extra = [text.replace('""', '"') for text in texts]
    if not (CHANNEL_ID.fullmatch(channel) and CHANNEL_ID.fullmatch(call)):
        raise ValueError("no channel id")
    at = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(micros))
    exten = exten if EXTENSION.fullmatch(exten) else ""
    return CelEvent(kind, at, channel, call, name, context, exten, _extra(kind, extra))


def records(line: bytes) -> Iterator[bytes]:
    """Split a line where a record begins: a full disk cuts a record, and the next one follows on its line."""
    starts = [match.start() for match in STARTS.finditer(line)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
        yield line[start:end]


def _extra(kind: str, text: str) -> Mapping[str, Any]:
    """Parse the JSON that Asterisk writes. A user event holds its text in `extra`. Raise ValueError."""
    if not text:
        return {}
    try:
        extra = json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if not isinstance(extra, dict):
        raise ValueError("extra is not an object")  # noqa: TRY004 - a line's text is wrong, not a caller
    return extra if kind in BUILT_IN else _pairs(str(extra.get("extra", "")))


def _pairs(text: str) -> Mapping[str, str]:
    """Read `leg=ab-1 to=+32470111222`; ignore words that are not pairs."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


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
