"""CEL events of one call, as Asterisk 22.10.1 writes them, and the state of that call after them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.ari.ledger import entries_of
from journal.cel import CelEvent
from journal.entries import CallStarted, Entry, HandedOver, PartyNotified
from journal.recorder_terms import RecorderTerms
from journal.state import CallState
from journal.values import Leg

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
CALL, CALLER, ONE, TWO = "0199-call", "dev-1795776979.0", "dev-1795776979.1", "dev-1795776980.2"
C, D, E = "PJSIP/trunk-00000000", "PJSIP/trunk-00000001", "PJSIP/trunk-00000002"
NAMES = {CALLER: C, ONE: D, TWO: E}
LEG, OTHER = f"{CALL}-b1", f"{CALL}-b2"
OFFICE, HOME = "+32470111221", "+32470111222"
TOLD_BY_DIALPLAN = "dialplan/builtin"
Rang = Mapping[str, datetime]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def event(kind: str, channel: str = CALLER, seconds: float = 0, **extra: Any) -> CelEvent:
    return CelEvent(kind, at(seconds), channel, CALLER, NAMES.get(channel, "X"), "connect", "s", extra)


def hangup(channel: str, seconds: float, cause: int, source: str = "", status: str = "ANSWER") -> CelEvent:
    """A HANGUP line; `dialstatus` stands on the caller's alone."""
    extra = {"dialstatus": status} if channel == CALLER else {}
    return event("HANGUP", channel, seconds, hangupcause=cause, hangupsource=source, **extra)


TERMS = RecorderTerms("0199-call-rec1", 86400, "wav", "announce", "ours", "sha", "nl")


def started() -> CallState:
    """A call that was handed over at 0 s."""
    start = CallStarted(CALL, at(-5), "+3270012345", "acme", False, "here", CALLER)
    state = CallState.begun(start)
    state.apply(HandedOver(CALL, at(0), (OFFICE, HOME), 25, TERMS))
    return state


def read(state: CallState, events: Iterable[CelEvent], rang: Rang = {}) -> list[Entry]:  # noqa: B006
    """Read the events, as the switchboard does: each entry is applied before the next is made."""
    entries = []
    for one in events:
        for entry in entries_of(one, state, rang):
            state.apply(entry)
            entries.append(entry)
    return entries


def after(*events: CelEvent, rang: Rang = {}) -> CallState:  # noqa: B006
    state = started()
    read(state, events, rang)
    return state


LEG_ONE = event("CHAN_START", ONE, 0.1)
LEG_TWO = event("CHAN_START", TWO, 0.2)
TALKING = [
    LEG_ONE,
    event("ANSWER", ONE, 5),
    event("ANSWER", CALLER, 5.01),
    event("BRIDGE_ENTER", ONE, 5.02, bridge_id="b", bridge_technology="simple_bridge"),
    event("BRIDGE_ENTER", CALLER, 5.03, bridge_id="b", bridge_technology="simple_bridge"),
]


def legs_told(*legs: str) -> str:
    """Variable LEGS."""
    return "".join(f"&{leg}" for leg in legs)


def back(seconds: float, *legs: str, kind: str = "BACK", **extra: str) -> CelEvent:
    told = {"ring": "1", "status": "NOANSWER", "rang": "", "progress": "", "legs": legs_told(*legs)}
    return event(kind, CALLER, seconds, **told | extra)


def outcome(leg: Leg) -> tuple[str | None, int | None, int]:
    return leg.outcome, leg.cause, leg.sip


# The recorder.


def epoch(seconds: float, thousands: int = 1) -> str:
    return f"{at(seconds).timestamp() * thousands:.{0 if thousands > 1 else 6}f}"


def recorded(kind: str, seconds: float, **extra: str) -> CelEvent:
    return event(kind, ONE, seconds, at=epoch(seconds, 1000), **extra)


def told_of_it(result: str) -> CelEvent:
    return event("INFORMED", ONE, 8, result=result, began=epoch(5.1), ended=epoch(8))


def notified(result: Any, why: str = "") -> PartyNotified:
    return PartyNotified(CALL, at(8), LEG, result, why, "announce", "ours", "sha", "nl", at(5.1), at(8))
