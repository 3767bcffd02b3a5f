"""What an operator sees of a live call. A withheld number is in no state, so it cannot be shown."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from engine.call_services import UNKNOWN_TRUNK
from journal.state import CallState

MOST = 1000  # calls in one answer, the newest


def listed(states: Iterable[CallState], now: datetime) -> list[dict[str, Any]]:
    """The live calls, oldest first. Instants are ISO 8601, UTC."""
    newest = sorted(states, key=lambda state: (state.began, state.call_id))[-MOST:]
    return [as_object(state, now) for state in newest]


def as_object(state: CallState, now: datetime) -> dict[str, Any]:
    """`caller`: a number, `withheld` or `unknown`. `seconds`: since the call came in."""
    return {
        "call_id": state.call_id,
        "number": state.number,
        "owner": state.owner,
        "caller": "withheld" if state.withheld else state.caller or "unknown",
        "trunk": state.trunk,
        "began": state.began.isoformat(timespec="milliseconds"),
        "seconds": max(round((now - state.began).total_seconds(), 1), 0.0),
        "answered": state.answered is not None,
        "recorded": state.is_recorded,
        "doing": doing(state),
    }


def doing(state: CallState) -> str:
    """What happens to the caller now, in words."""
    if state.left is not None:
        return "has ended"
    if (leg := state.talking) is not None:
        return f"talks with {leg.to}"
    if state.fell_back is not None:
        return "at its fallback"
    if state.message is not None and state.message.ended is None:
        return "leaves a message"
    if state.handed_over is not None:
        return f"rings {', '.join(state.dialled)}"
    return "in its route"


def busiest(states: Iterable[CallState], most: int = 10) -> list[dict[str, Any]]:
    """The numbers with the most live calls."""
    counts = Counter(state.number for state in states)
    return [{"number": number, "live": live} for number, live in counts.most_common(most)]


def by_carrier(states: Iterable[CallState]) -> list[dict[str, Any]]:
    """The carriers from which the live calls came, the one with the most first."""
    counts = Counter(state.trunk or UNKNOWN_TRUNK for state in states)
    return [{"trunk": trunk, "live": live} for trunk, live in counts.most_common()]
