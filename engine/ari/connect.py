"""Handing a caller over: the variables that [connect] of extensions.conf reads, and what [back] returns."""

from collections.abc import Container, Iterator, Mapping
from datetime import datetime

import structlog

from dialplan.caller import Caller
from dialplan.destination import Destination, Present
from dialplan.number import dial_key
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.ari import causes
from engine.ari.causes import Cause
from engine.ari.operations import Variables
from engine.line import Attempt, Connect, Recorder, Returned
from journal.ids import leg_id_of

log = structlog.get_logger()

CONTEXT, EXTENSION = "connect", "s"
# The extensions of [leg]: what a destination is shown.
SHOWN: Mapping[Present, str] = {
    Present.CALLER: "caller",
    Present.SERVICE_NUMBER: "service",
    Present.ANONYMOUS: "nobody",
}
RINGING = "Ringing"
# Up, and GOSUB_RESULT of recorder.conf: the destination answered, and left before it was put through.
LEFT = "UpBUSY"
# SIP: 180 to 183 say that the destination is alerted or looked for. With 480 the far end itself says that
# nobody answers, also where it never rang.
ALERTING = range(180, 184)
TEMPORARILY_UNAVAILABLE = 480
REFUSED = 300  # and above


def variables(
    connect: Connect,
    caller: Caller,
    service_number: str,
    endpoint: str,
    first: int = 0,
    *,
    music: Container[str] = (),
) -> Variables:
    """Everything [connect] reads, for the caller's channel.

    `endpoint`: how a number is dialled. Its `{n}`, if any, spreads legs over ten endpoints: from `first` on.
    `music`: the classes of music on hold that Asterisk has.
    """
    shown = {one.number: SHOWN[shown_to(one, caller)] for one in connect.to}
    kinds = sorted(set(shown.values()))
    each = {f"_CONNECT_SHOW_{dial_key(to)}": kind for to, kind in shown.items()}
    return {
        "CONNECT_TO": "&".join(
            endpoint.format(number=one.number, n=(first + place) % 10) for place, one in enumerate(connect.to)
        ),
        "CONNECT_SECONDS": str(connect.seconds),
        "CONNECT_LIMIT": str(connect.limit),
        "CONNECT_LEG": kinds[0] if len(kinds) == 1 else "each",
        "CONNECT_OPTIONS": "".join(_options(connect, music)),
        "CONNECT_RING": str(connect.number),
        "_CONNECT_AS": f"+{dial_key(service_number)}",
        **(each if len(kinds) > 1 else {}),
        **(_recorder(connect.recorder) if connect.recorder else {}),
    }


def shown_to(to: Destination, caller: Caller) -> Present:
    """Whom this destination is shown: a caller without a number that may be shown is shown to nobody.

    Asterisk judges for itself who withholds, and copies name and number of a caller whom it does not take for
    one. What is in the record holds on the wire too.
    """
    if to.present is Present.CALLER and caller.number is None:
        return Present.ANONYMOUS
    return to.present


def returned(call_id: str, ring: str, legs: str, at: datetime) -> Returned:
    """What [back] says: its arguments, or the CEL event of the same content. Raises ValueError."""
    return Returned(int(ring), tuple(attempts(call_id, legs)), at)


def attempts(call_id: str, legs: str, *, given_up: bool = False) -> Iterator[Attempt]:
    """`&CHANNEL:STATE:CAUSE:SIP:TO&...` of variable LEGS. `given_up`: by the caller. Raises ValueError."""
    for leg in filter(None, legs.split("&")):
        channel, state, cause, sip, to = leg.rsplit(":", 4)
        status = int(sip or 0)
        rang = state == RINGING or status in ALERTING or status == TEMPORARILY_UNAVAILABLE
        why = _cause(int(cause or 0), let_go=given_up and status < REFUSED)
        outcome = Outcome.REJECTED if state == LEFT else causes.outcome(why, rang=rang)
        yield Attempt(leg_id_of(call_id, channel), to, outcome, why, status)


def _cause(cause: int, *, let_go: bool) -> int:
    """Dial gives a leg that it ended the caller's own cause, and none where the time was over."""
    if let_go:
        return Cause.NORMAL
    return Cause.NO_ANSWER if cause == Cause.NOT_SET else cause


def music_class(prompt: Prompt) -> str:
    """The class of music on hold that plays this published prompt again and again: named by its content."""
    return prompt.path.stem


def _options(connect: Connect, music: Container[str]) -> Iterator[str]:
    if connect.music and _is_known(connect.music, music):
        yield f"m({music_class(connect.music)})"
    elif connect.answered:
        yield "r"
    if connect.recorder:
        yield "U(recorder^s^1)"


def _is_known(prompt: Prompt, music: Container[str]) -> bool:
    """Dial plays nothing at all by a class that Asterisk does not have: it rings then."""
    known = music_class(prompt) in music
    if not known:
        log.warning("music_missing", prompt=prompt.name)
    return known


def _recorder(recorder: Recorder) -> Variables:
    return {
        "_REC_FILE": recorder.audio_id,
        "_REC_PROMPT": str(recorder.prompt.path.with_suffix("")) if recorder.prompt else "",
        "_REC_PROMPT_MS": str(round(recorder.prompt.seconds * 1000)) if recorder.prompt else "",
        "_REC_STOP": "1" if recorder.caller_may_stop else "",
    }
