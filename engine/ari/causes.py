"""Q.850 causes, and what they mean: the one place where a 17 becomes "busy", and "busy" a 486."""

from collections.abc import Mapping
from enum import IntEnum

from dialplan.result import Outcome, Result


class Cause(IntEnum):
    """ITU-T Q.850 causes as Asterisk 22 uses them; beside them the SIP answers they stand for (measured)."""

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
    CONGESTION = 34  # 503
    NETWORK_OUT_OF_ORDER = 38  # 500
    TEMPORARY_FAILURE = 41
    SWITCH_CONGESTION = 42
    CHANNEL_UNAVAILABLE = 44
    INCOMPATIBLE_MEDIA = 58  # 488
    INCOMPATIBLE_DESTINATION = 88
    TIMER_EXPIRED = 102  # 504
    INTERWORKING = 127


# For a leg that nobody answered. What is not named here is FAILED: a misunderstanding (media, protocol, a
# redirection we do not follow, 127 for every other refusal), which the same attempt would meet again.
_NOT_ANSWERED: Mapping[int, Outcome] = {
    Cause.BUSY: Outcome.BUSY,
    Cause.REJECTED: Outcome.REJECTED,
    # Let go while it was ringing: by us, or because another leg was quicker.
    Cause.NORMAL: Outcome.NO_ANSWER,
    Cause.ANSWERED_ELSEWHERE: Outcome.NO_ANSWER,
    Cause.NORMAL_UNSPECIFIED: Outcome.NO_ANSWER,
    # The number cannot be reached by anyone, or not now: the network says so.
    Cause.UNALLOCATED: Outcome.UNREACHABLE,
    Cause.NO_ROUTE_TRANSIT: Outcome.UNREACHABLE,
    Cause.NO_ROUTE: Outcome.UNREACHABLE,
    Cause.ABSENT: Outcome.UNREACHABLE,
    Cause.NUMBER_CHANGED: Outcome.UNREACHABLE,
    Cause.OUT_OF_ORDER: Outcome.UNREACHABLE,
    Cause.INVALID_NUMBER: Outcome.UNREACHABLE,
    Cause.CONGESTION: Outcome.UNREACHABLE,
    Cause.NETWORK_OUT_OF_ORDER: Outcome.UNREACHABLE,
    Cause.TEMPORARY_FAILURE: Outcome.UNREACHABLE,
    Cause.SWITCH_CONGESTION: Outcome.UNREACHABLE,
    Cause.CHANNEL_UNAVAILABLE: Outcome.UNREACHABLE,
    Cause.TIMER_EXPIRED: Outcome.UNREACHABLE,
}

# What an unanswered caller's network hears. A plain hang-up would be 603, which carriers read as a global
# decline and stop rerouting; the SIP answers beside the causes are measured.
_FAREWELL: Mapping[Result, Cause] = {
    Result.CLOSED: Cause.NO_ANSWER,  # 480
    Result.NO_ANSWER: Cause.NO_ANSWER,  # 480
    Result.BUSY: Cause.BUSY,  # 486
    Result.UNREACHABLE: Cause.CONGESTION,  # 503
    Result.REJECTED: Cause.REJECTED,  # 403
    Result.FAILED: Cause.NETWORK_OUT_OF_ORDER,  # 500
    Result.LOST: Cause.NETWORK_OUT_OF_ORDER,  # 500
    Result.ANSWERED: Cause.NORMAL,
    Result.VOICEMAIL: Cause.NORMAL,
    Result.ABANDONED: Cause.NORMAL,
}

# A number that no route serves: 404.
UNKNOWN_NUMBER = Cause.UNALLOCATED


def outcome(cause: int, *, rang: bool, answered: bool = False) -> Outcome:
    """What a leg's end means to a route.

    `cause` is that of ChannelDestroyed; `rang` whether 180 or 183 was ever heard. Asterisk gives 19 for its
    own dial timeout alike when a phone rang and when a host is dead: only the ringing tells them apart.
    """
    if answered:
        return Outcome.TAKEN
    if cause in (Cause.NO_ANSWER, Cause.NO_RESPONSE):
        return Outcome.NO_ANSWER if rang else Outcome.UNREACHABLE
    return _NOT_ANSWERED.get(cause, Outcome.FAILED)


def farewell(result: Result) -> Cause:
    """The cause to hang up with on a caller, from what the call came to; after the answer nobody sees it."""
    return _FAREWELL[result]
