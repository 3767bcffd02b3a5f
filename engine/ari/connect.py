"""The contract with extensions.conf: the variables that [connect] reads, and the arguments of [back]."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from datetime import datetime
from string import digits
from types import MappingProxyType

import structlog

from dialplan.address import SCHEME, bare, is_address, parts, whole
from dialplan.caller import Caller
from dialplan.destination import Destination, Present
from dialplan.number import dial_key
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.ari.apart import CONTEXT as APART
from engine.ari.apart import apart, rings_apart
from engine.ari.operations import Variables
from engine.causes import Cause, leg_outcome, refusal
from engine.line import Attempt, Connect, Recorder, Returned
from journal.ids import leg_id_of

log = structlog.get_logger()

CONTEXT, EXTENSION = "connect", "s"
CONTEXTS = (CONTEXT, APART)  # where Asterisk answers the caller
ORDINARY = "ring"  # the context whose extension contains all of an ordinary ring
LONGEST_EXTENSION = 79  # AST_MAX_EXTENSION of channel.h, without the terminator
# Dial's options for a ring in which all destinations are shown the same; {service}: the service number.
SHOW_ALL: Mapping[Present, str] = {
    Present.CALLER: "",
    Present.SERVICE_NUMBER: "f({service})",
    Present.ANONYMOUS: "f(0)u(prohib)",
}
# The extensions of [show], if they are shown different numbers: that costs the setup 1 to 50 ms.
SHOW_EACH: Mapping[Present, str] = {
    Present.CALLER: "caller",
    Present.SERVICE_NUMBER: "service",
    Present.ANONYMOUS: "nobody",
}
EACH = "b(show^each^1)"
ORDINARY_VARIABLES = tuple(f"CONNECT_{name}" for name in ("RING", "SECONDS", "LIMIT", "OPTIONS", "TO"))
RINGING = "Ringing"
NO_TRUNK = "no_trunk"  # no trunk's name has a _
NO_DOMAINS: Mapping[str, str] = MappingProxyType({})
# Up, and GOSUB_RESULT of [taken] and recorder.conf: the destination answered, and left before it was
# connected, or did not press 1 to take the call.
LEFT, UNCONFIRMED = "UpBUSY", "UpCONGESTION"
# SIP: with 180 to 183 the destination is alerted or searched for. With 480 the far end itself reports that
# nobody answers, even if it never rang.
ALERTING = range(180, 184)
TEMPORARILY_UNAVAILABLE = 480
REFUSED = 300  # and above
# Forbidden, Decline, Rejected (RFC 8688): of a network, if the destination did not ring; then of a person.
REFUSALS = (403, 603, 608)


def variables(
    connect: Connect,
    caller: Caller,
    service_number: str,
    endpoint: str,
    first: int = 0,
    *,
    music: Container[str] = (),
    domains: Mapping[str, str] = NO_DOMAINS,
) -> Variables:
    """Return the variables of the caller's channel that [connect], or [apart], reads.

    `endpoint`: how a number is dialled. Its `{n}`, if any, spreads legs over ten endpoints, beginning at
    `first`. `music`: the classes of music on hold that Asterisk has. `domains`: the trunk of each domain of
    SIP addresses.
    """
    shown = {to.number: shown_to(to, caller) for to in connect.to}
    service = f"+{dial_key(service_number)}"
    presentation = _presentation(set(shown.values()), service)
    values = {
        "CONNECT_TO": "&".join(
            dialled(to, endpoint, (first + place) % 10, domains) for place, to in enumerate(connect.to)
        ),
        "CONNECT_SECONDS": str(connect.seconds),
        "CONNECT_LIMIT": str(connect.limit),
        "CONNECT_OPTIONS": "".join(_ringing(connect, music)),
        "CONNECT_RING": str(connect.number),
        **(_each(shown, service) if len(set(shown.values())) > 1 else {}),
        **(_recorder(connect.recorder) if connect.recorder else {}),
        **_said_to_destinations(connect),
    }
    if rings_apart(connect):
        return apart(values, connect, "" if presentation == EACH else presentation)
    options = f"{presentation}{values['CONNECT_OPTIONS']}{_subroutine(connect)}"
    return {**values, "CONNECT_OPTIONS": options}


def dialled(to: Destination, endpoint: str, n: int, domains: Mapping[str, str]) -> str:
    """Return how Dial is given a destination. Without a trunk of its domain, Dial finds no such endpoint."""
    if not to.domain:
        return endpoint.format(number=to.number, n=n)
    return f"PJSIP/{to.user}@{domains.get(to.domain, NO_TRUNK)}{n}"


def as_extension(values: Variables) -> str | None:
    """Return these variables as an extension of [ring]; None if there are others, or it is too long."""
    if set(values) != set(ORDINARY_VARIABLES):
        return None
    extension = "-".join(str(values[name]) for name in ORDINARY_VARIABLES)
    return extension if len(extension) <= LONGEST_EXTENSION else None


def shown_to(to: Destination, caller: Caller) -> Present:
    """Return whose number this destination is shown. A caller without a showable number stays anonymous.

    Asterisk decides by itself whether a caller withholds the number, and copies name and number if it sees no
    reason not to: so the engine's decision is enforced here, on the wire as in the record.
    """
    if to.present is Present.CALLER and caller.number is None:
        return Present.ANONYMOUS
    return to.present


def returned(call_id: str, ring: str, legs: str, at: datetime) -> Returned:
    """Parse the arguments of [back], or the CEL event with the same content. Raises ValueError."""
    return Returned(int(ring), tuple(attempts(call_id, legs)), at)


def attempts(call_id: str, legs: str, *, given_up: bool = False) -> Iterator[Attempt]:
    """Parse LEGS: `&CHANNEL:STATE:CAUSE:SIP:TO&...`. `given_up`: by the caller. Raises ValueError."""
    for leg in filter(None, legs.split("&")):
        channel, state, cause, sip, to = leg.rsplit(":", 4)
        status = int(sip or 0)
        rang = state == RINGING or status in ALERTING or status == TEMPORARILY_UNAVAILABLE
        why = _cause(refusal(status, int(cause or 0)), cancelled=given_up and status < REFUSED)
        outcome = Outcome.REJECTED if state == LEFT else leg_outcome(why, rang=rang)
        if state == UNCONFIRMED:
            outcome, why = Outcome.NO_ANSWER, Cause.NO_ANSWER
        refused = status in REFUSALS and state != RINGING
        yield Attempt(leg_id_of(call_id, channel), whole(to), outcome, why, status, refused)


def destinations(
    to: str, known: Sequence[str] = (), domains: Mapping[str, str] = NO_DOMAINS
) -> tuple[tuple[str, str], ...]:
    """Parse variable CONNECT_TO, `PJSIP/+32470111222@trunk3&...`, into endpoints and destinations.

    Of a SIP address, the variable has the user alone. `known`: the destinations of the ring in the journal,
    in the same order; without them, `domains` has the domain of the trunk.
    """
    split = [destination.partition("@") for destination in to.split("&") if destination]
    pairs = [(f"PJSIP/{endpoint}", user.rpartition("/")[2]) for user, _, endpoint in split]
    if [user for _, user in pairs] == [parts(it)[0] for it in known]:
        return tuple((endpoint, it) for (endpoint, _), it in zip(pairs, known, strict=True))
    named = {f"PJSIP/{trunk}": domain for domain, trunk in domains.items()}
    of_pair = (named.get(endpoint.rstrip(digits), "") for endpoint, _ in pairs)
    return tuple(
        (endpoint, f"{SCHEME}{user}@{domain}" if domain else user)
        for (endpoint, user), domain in zip(pairs, of_pair, strict=True)
    )


def destination(name: str, ring: Sequence[tuple[str, str]], started: int) -> str:
    """Return the number that the channel of this name was created for; "" if it is unknown.

    With ten endpoints each leg of a ring has its own. Otherwise Dial created the legs in the order of the
    destinations, `started` of them before this one.
    """
    numbers = [number for endpoint, number in ring if name.rpartition("-")[0] == endpoint]
    if len(numbers) == 1:
        return numbers[0]
    return ring[started][1] if started < len(ring) else ""


def trunk_of(name: str) -> str:
    """Return the trunk of this channel: `beta` of PJSIP/beta3-0000a1f2; "" if it is none's."""
    match = re.fullmatch(r"PJSIP/([a-z-]*[a-z])[0-9]?-[0-9a-f]+", name, re.ASCII)
    return match[1] if match else ""


def _cause(cause: int, *, cancelled: bool) -> int:
    """Correct Dial, which gives a leg that it cancelled the caller's cause, and none after its time."""
    if cancelled:
        return Cause.NORMAL
    return Cause.NO_ANSWER if cause == Cause.NOT_SET else cause


def _presentation(shown: Set[Present], service: str) -> str:
    return SHOW_ALL[next(iter(shown))].format(service=service) if len(shown) == 1 else EACH


def music_class(prompt: Prompt) -> str:
    """Return the class of music on hold that repeats this published prompt; it is named by its content."""
    return prompt.path.stem


def _ringing(connect: Connect, music: Container[str]) -> Iterator[str]:
    """Yield the option for what the caller hears while it rings."""
    if connect.music and _is_known(connect.music, music):
        yield f"m({music_class(connect.music)})"
    elif connect.answered:
        yield "r"


def _subroutine(connect: Connect) -> str:
    """Return the option for what the destination that answered hears before it is connected."""
    if connect.whispers or connect.question:
        return "U(taken^s^1)"  # which goes on to [recorder]
    return "U(recorder^s^1)" if connect.recorder else ""


def _said_to_destinations(connect: Connect) -> Variables:
    """Return the variables that [taken] reads on the leg that answered, which inherits them (_)."""
    whispers = {f"_CONNECT_SAY_{leg_key(to)}": playable(prompt) for to, prompt in connect.whispers.items()}
    if connect.question is None:
        return whispers
    asked = [leg_key(to.number) for to in connect.to if to.confirm]
    return {**whispers, **{f"_CONNECT_ASK_{key}": playable(connect.question) for key in asked}}


def leg_key(to: str) -> str:
    """Return what the variables for a destination end with: TO_KEY of [destination] in carriers.conf."""
    return bare(to) if is_address(to) else dial_key(to)


def playable(prompt: Prompt) -> str:
    """Return the path of a published prompt as Playback takes it: without its suffix."""
    return str(prompt.path.with_suffix(""))


def _each(shown: Mapping[str, Present], service: str) -> Variables:
    """Return the variables that [show] reads on each leg, which inherits them (_)."""
    each = {f"_CONNECT_SHOW_{leg_key(to)}": SHOW_EACH[present] for to, present in shown.items()}
    return {"_CONNECT_AS": service, **each}


def _is_known(prompt: Prompt, music: Container[str]) -> bool:
    """Whether Asterisk has the class. If not, the caller hears ringing: Dial would play silence."""
    known = music_class(prompt) in music
    if not known:
        log.warning("music_missing", prompt=prompt.name)
    return known


def _recorder(recorder: Recorder) -> Variables:
    return {
        "_REC_FILE": recorder.audio_id,
        "_REC_PROMPT": playable(recorder.prompt) if recorder.prompt else "",
        "_REC_PROMPT_MS": str(round(recorder.prompt.seconds * 1000)) if recorder.prompt else "",
        "_REC_STOP": "1" if recorder.caller_may_stop else "",
    }
