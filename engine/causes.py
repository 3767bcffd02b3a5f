"""Q.850 causes: the only place where a 17 becomes "busy", and "busy" becomes a 486."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from dialplan.result import Outcome, Result


class Cause(IntEnum):
    """ITU-T Q.850 causes as Asterisk 22 uses them, each with the SIP answers it stands for (measured)."""

    NOT_SET = 0
    UNALLOCATED = 1  # 404, 604
    NO_ROUTE_TRANSIT = 2
    NO_ROUTE = 3
    NORMAL = 16
    BUSY = 17  # 486, 600
    NO_RESPONSE = 18  # 408
    NO_ANSWER = 19  # 480, and Asterisk's own dial timeout
    ABSENT = 20
    REJECTED = 21  # 403, 603
    NUMBER_CHANGED = 22  # 410
    REDIRECTED = 23  # 302
    ANSWERED_ELSEWHERE = 26
    OUT_OF_ORDER = 27  # 502
    INVALID_NUMBER = 28  # 484
    FACILITY_REJECTED = 29  # 501
    NORMAL_UNSPECIFIED = 31
    BY_OPERATOR = 31  # what `callengine hangup` ends a call with
    CONGESTION = 34  # 503
    NETWORK_OUT_OF_ORDER = 38  # 500
    TEMPORARY_FAILURE = 41
    SWITCH_CONGESTION = 42
    CHANNEL_UNAVAILABLE = 44
    INCOMPATIBLE_MEDIA = 58  # 488
    INCOMPATIBLE_DESTINATION = 88
    TIMER_EXPIRED = 102  # 504
    INTERWORKING = 127  # no reason was given


# For a leg that was not answered. Every other cause is FAILED: a mismatch (media, protocol, a redirection
# that the engine does not follow, 127 for every other refusal) which would occur again at the next attempt.
_NOT_ANSWERED: Mapping[int, Outcome] = {
    Cause.BUSY: Outcome.BUSY,
    Cause.REJECTED: Outcome.REJECTED,
    # Ended while it was ringing: by the engine, or because another leg answered first.
    Cause.NORMAL: Outcome.NO_ANSWER,
    Cause.ANSWERED_ELSEWHERE: Outcome.NO_ANSWER,
    Cause.NORMAL_UNSPECIFIED: Outcome.NO_ANSWER,
    # The network reports that the number cannot be reached, now or ever.
    Cause.UNALLOCATED: Outcome.UNREACHABLE,
    Cause.NO_ROUTE_TRANSIT: Outcome.UNREACHABLE,
    Cause.NO_ROUTE: Outcome.UNREACHABLE,
    Cause.ABSENT: Outcome.UNREACHABLE,
    Cause.NUMBER_CHANGED: Outcome.UNREACHABLE,
    Cause.OUT_OF_ORDER: Outcome.UNREACHABLE,
    Cause.INVALID_NUMBER: Outcome.UNREACHABLE,
    Cause.CONGESTION: Outcome.CONGESTED,
    Cause.NETWORK_OUT_OF_ORDER: Outcome.UNREACHABLE,
    Cause.TEMPORARY_FAILURE: Outcome.UNREACHABLE,
    Cause.SWITCH_CONGESTION: Outcome.CONGESTED,
    Cause.CHANNEL_UNAVAILABLE: Outcome.UNREACHABLE,
    Cause.TIMER_EXPIRED: Outcome.UNREACHABLE,
}


# What Asterisk makes of the far end's refusal (res_pjsip.c); of any other status 127, or 34 of a 5xx.
_REFUSED: Mapping[int, Cause] = {
    302: Cause.REDIRECTED,
    401: Cause.REJECTED,
    403: Cause.REJECTED,
    404: Cause.UNALLOCATED,
    407: Cause.REJECTED,
    408: Cause.NO_RESPONSE,
    409: Cause.TEMPORARY_FAILURE,
    410: Cause.NUMBER_CHANGED,
    420: Cause.NO_ROUTE,
    480: Cause.NO_ANSWER,
    483: Cause.NO_ANSWER,
    484: Cause.INVALID_NUMBER,
    485: Cause.UNALLOCATED,
    486: Cause.BUSY,
    488: Cause.INCOMPATIBLE_MEDIA,
    500: Cause.NETWORK_OUT_OF_ORDER,
    501: Cause.FACILITY_REJECTED,
    502: Cause.OUT_OF_ORDER,
    503: Cause.CONGESTION,
    504: Cause.TIMER_EXPIRED,
    600: Cause.BUSY,
    603: Cause.REJECTED,
    604: Cause.UNALLOCATED,
    606: Cause.INCOMPATIBLE_MEDIA,
}


class HangUp(NamedTuple):
    """How the engine hangs up: with a Q.850 cause, from which Asterisk makes the SIP answer (measured).

    Once the caller has been answered, `sip` is that answer: the cause is then of no consequence.
    """

    cause: Cause
    sip: int


# What the caller's network receives for each result. A plain hang-up would be 603, which carriers read as a
# global decline, and stop rerouting.
HANG_UPS: Mapping[Result, HangUp] = {
    Result.ANSWERED: HangUp(Cause.NORMAL, 200),
    Result.VOICEMAIL: HangUp(Cause.NORMAL, 200),
    Result.ABANDONED: HangUp(Cause.NORMAL, 487),
    Result.REJECTED: HangUp(Cause.REJECTED, 403),
    Result.CLOSED: HangUp(Cause.NO_ANSWER, 480),
    Result.NO_ANSWER: HangUp(Cause.NO_ANSWER, 480),
    Result.BUSY: HangUp(Cause.BUSY, 486),
    Result.FAILED: HangUp(Cause.NETWORK_OUT_OF_ORDER, 500),
    Result.LOST: HangUp(Cause.NETWORK_OUT_OF_ORDER, 500),
    Result.UNREACHABLE: HangUp(Cause.CONGESTION, 503),
}
# A number without a route.
UNKNOWN_NUMBER = HangUp(Cause.UNALLOCATED, 404)


def refusal(sip: int, cause: int) -> int:
    """Return the cause of a leg whose far end refused it with this SIP status.

    `cause`: that of its channel. It is the caller's, another leg's or none if Dial ended the leg just then.
    """
    return _REFUSED.get(sip, cause)


def leg_outcome(cause: int, *, rang: bool, answered: bool = False) -> Outcome:
    """Return the outcome of a leg that ended.

    `cause`: that of ChannelDestroyed. `rang`: whether the leg ever sent 180 or 183. Asterisk's own dial
    timeout is cause 19 both when a phone rang and when a host is dead: only the ringing distinguishes them.
    """
    if answered:
        return Outcome.TAKEN
    if cause in (Cause.NO_ANSWER, Cause.NO_RESPONSE):
        return Outcome.NO_ANSWER if rang else Outcome.UNREACHABLE
    return _NOT_ANSWERED.get(cause, Outcome.FAILED)
