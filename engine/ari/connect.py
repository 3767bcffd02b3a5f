"""Handing a caller over: the variables that [connect] of extensions.conf reads, and what [back] returns."""

from collections.abc import Container, Iterator, Mapping, Sequence, Set
from datetime import datetime

import structlog

from dialplan.caller import Caller
from dialplan.destination import Destination, Present
from dialplan.number import dial_key
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.ari.operations import Variables
from engine.causes import Cause, leg_outcome
from engine.line import Attempt, Connect, Recorder, Returned
from journal.ids import leg_id_of

log = structlog.get_logger()

CONTEXT, EXTENSION = "connect", "s"
ORDINARY = "ring"  # the context whose extension is the whole of an ordinary ring
LONGEST_EXTENSION = 79  # AST_MAX_EXTENSION of channel.h, less its end
# Dial's options for a ring in which every destination is shown the same; {service} is the service number.
SHOW_ALL: Mapping[Present, str] = {
    Present.CALLER: "",
    Present.SERVICE_NUMBER: "f({service})",
    Present.ANONYMOUS: "f(0)u(prohib)",
}
# The extensions of [show], where they are shown different numbers: that costs the setup 1 to 50 ms.
SHOW_EACH: Mapping[Present, str] = {
    Present.CALLER: "caller",
    Present.SERVICE_NUMBER: "service",
    Present.ANONYMOUS: "nobody",
}
EACH = "b(show^each^1)"
ORDINARY_VARIABLES = tuple(f"CONNECT_{name}" for name in ("RING", "SECONDS", "LIMIT", "OPTIONS", "TO"))
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
    shown = {one.number: shown_to(one, caller) for one in connect.to}
    service = f"+{dial_key(service_number)}"
    return {
        "CONNECT_TO": "&".join(
            endpoint.format(number=one.number, n=(first + place) % 10) for place, one in enumerate(connect.to)
        ),
        "CONNECT_SECONDS": str(connect.seconds),
        "CONNECT_LIMIT": str(connect.limit),
        "CONNECT_OPTIONS": "".join([_presentation(set(shown.values()), service), *_options(connect, music)]),
        "CONNECT_RING": str(connect.number),
        **(_each(shown, service) if len(set(shown.values())) > 1 else {}),
        **(_recorder(connect.recorder) if connect.recorder else {}),
    }


def as_extension(values: Variables) -> str | None:
    """These variables as the extension of context [ring]; None where they are too many, or too long."""
    if set(values) != set(ORDINARY_VARIABLES):
        return None
    extension = "-".join(str(values[name]) for name in ORDINARY_VARIABLES)
    return extension if len(extension) <= LONGEST_EXTENSION else None


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
        outcome = Outcome.REJECTED if state == LEFT else leg_outcome(why, rang=rang)
        yield Attempt(leg_id_of(call_id, channel), to, outcome, why, status)


def dialled(to: str) -> tuple[tuple[str, str], ...]:
    """Endpoint and number of each destination: `PJSIP/+32470111222@trunk3&...` of variable CONNECT_TO."""
    pairs = (one.partition("@") for one in to.split("&") if one)
    return tuple((f"PJSIP/{endpoint}", number.rpartition("/")[2]) for number, _, endpoint in pairs)


def destination(name: str, ring: Sequence[tuple[str, str]], started: int) -> str:
    """The number that the channel of this name was made for; "" where it is unknown.

    Each leg of a ring has an endpoint of its own where there are ten. Otherwise Dial has made them in the
    order of the destinations, and `started` of them before this one.
    """
    numbers = [number for endpoint, number in ring if name.rpartition("-")[0] == endpoint]
    if len(numbers) == 1:
        return numbers[0]
    return ring[started][1] if started < len(ring) else ""


def _cause(cause: int, *, let_go: bool) -> int:
    """Dial gives a leg that it ended the caller's own cause, and none where the time was over."""
    if let_go:
        return Cause.NORMAL
    return Cause.NO_ANSWER if cause == Cause.NOT_SET else cause


def _presentation(shown: Set[Present], service: str) -> str:
    return SHOW_ALL[next(iter(shown))].format(service=service) if len(shown) == 1 else EACH


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


def _each(shown: Mapping[str, Present], service: str) -> Variables:
    """What [show] reads. Inherited by the legs (_), on which it runs."""
    each = {f"_CONNECT_SHOW_{dial_key(to)}": SHOW_EACH[present] for to, present in shown.items()}
    return {"_CONNECT_AS": service, **each}


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
