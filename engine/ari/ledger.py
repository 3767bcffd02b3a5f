"""CEL events of a call as entries of its journal: legs, answer, connection, recorder, and who ended it.

Asterisk's CEL is the ledger of what Asterisk does by itself, for handed-over calls and fallback calls alike.
The user events are those of extensions.conf ([connect], [leg], [back], [fallback]), apart.conf and
recorder.conf. Each event is translated by itself, with the state of the call, so that an engine which starts
in the middle of a call reads on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from dialplan.address import whole
from dialplan.result import Outcome
from engine.ari.apart import LOCAL
from engine.ari.connect import CONTEXTS, attempts, destination, trunk_of
from engine.ari.recorder_events import recorder_entries, recording_ended
from engine.causes import Cause, leg_outcome
from engine.line import Attempt
from journal.cel import CelEvent
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallerLeft,
    EndedBy,
    Entry,
    FellBack,
    LegAnswered,
    LegAsked,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
)
from journal.ids import leg_id_of
from journal.state import CallState
from journal.values import Leg

# hangupsource of Asterisk's own Hangup(): neither party ended the conversation.
DIALPLAN = "dialplan/builtin"
# The results of a request to press 1, in [taken].
CONFIRMATIONS: Mapping[str, Literal["key", "no_key", "left"]] = {
    "key": "key",
    "no_key": "no_key",
    "left": "left",
}
ANSWERS = range(200, 300)  # SIP
Ring = Sequence[tuple[str, str]]  # endpoint and number of each destination


def entries_of(
    event: CelEvent, state: CallState, rang: Mapping[str, datetime], ring: Ring = ()
) -> Iterator[Entry]:
    """Translate this event of a call into entries. The Local channels of [apart] are not legs: see LEG.

    `rang`: when each leg of a ring of several rang, according to the Dial events so far. `ring`: from event
    RING; () if an earlier engine read that event. Raises ValueError, KeyError.
    """
    of_caller = event.channel == event.call
    if event.name.startswith(LOCAL) and event.kind != "LEG":
        return
    leg = state.legs.get(leg_id_of(state.call_id, event.channel))
    match event.kind:
        case "DIALLED" | "LEG":
            yield from _dialled(event, state, leg) if leg else _leg_reported(event, state)
        case "CHAN_START" if not of_caller and leg is None and (ring or state.dialled):
            to = destination(event.name, ring or [("", to) for to in state.dialled], len(state.open_legs))
            yield LegStarted(state.call_id, event.at, _leg(event, state), to, trunk_of(event.name))
            yield from new_ringing(state, rang)
        case "ANSWER" if not of_caller:
            yield LegAnswered(state.call_id, event.at, _leg(event, state))
        case "ANSWER" if state.answered is None:
            yield Answered(state.call_id, event.at, "" if event.context in CONTEXTS else BY_ENGINE)
        case "ASKED" if not of_caller:
            yield LegAsked(state.call_id, event.at, _leg(event, state), _confirmation(event))
        case "BRIDGE_ENTER" if not of_caller:
            yield LegConnected(state.call_id, event.at, _leg(event, state))
        case "HANGUP" if not of_caller:
            yield from recording_ended(state, _leg(event, state), event.at)
            yield from _leg_hung_up(event, state)
        case "HANGUP":
            yield CallerLeft(state.call_id, event.at, *_ended_by(event, state), _is_unanswered(state))
        case "BACK" | "NOBODY" | "CALL":
            yield from _legs_reported(event, state)
        case "FALLBACK":
            yield FellBack(state.call_id, event.at, tuple(filter(None, [whole(event.extra.get("to", ""))])))
        case "INFORMED" | "REC_START" | "REC_PAUSE" | "REC_RESUME" | "REC_STOP" | "REC_END":
            yield from recorder_entries(event, _leg(event, state), state)


def _dialled(event: CelEvent, state: CallState, leg: Leg) -> Iterator[LegStarted]:
    """The destination of a leg of [apart]: the threads of several legs begin them in any order."""
    if (to := whole(event.extra["to"])) != leg.to:
        yield LegStarted(state.call_id, leg.began, leg.leg_id, to, leg.trunk)


def _leg_reported(event: CelEvent, state: CallState) -> Iterator[Entry]:
    """What [apart] reports of its latest leg to this destination: when it rang, and how it ended.

    How is missing where the caller gave up and Asterisk had ended the caller's channel before the leg.
    """
    began, to = _ring_began(event, state), whole(event.extra["to"])
    legs = [leg for leg in state.legs.values() if leg.to == to and leg.began >= began]
    if not legs:
        return
    leg = legs[-1]
    if leg.ringing is None and (after := event.extra.get("rang") or event.extra.get("progress")):
        yield LegRang(state.call_id, _later(leg.began, after), leg.leg_id)
    given_up = event.extra.get("status") == "CANCEL" and state.connected is None
    reported = tuple(attempts(state.call_id, event.extra.get("legs", ""), given_up=given_up))
    if given_up and not reported:
        yield LegEnded(state.call_id, leg.ended or event.at, leg.leg_id, Outcome.NO_ANSWER, Cause.NORMAL)
    yield from _ended(event, state, reported)


def new_ringing(state: CallState, rang: Mapping[str, datetime]) -> Iterator[LegRang]:
    """The legs that rang and are not journalled yet. A leg may ring before its first CEL event is read."""
    for leg_id, at in rang.items():
        leg = state.legs.get(leg_id)
        if leg is not None and leg.ringing is None:
            yield LegRang(state.call_id, at, leg_id)


def _leg(event: CelEvent, state: CallState) -> str:
    return leg_id_of(state.call_id, event.channel)


def _leg_hung_up(event: CelEvent, state: CallState) -> Iterator[Entry]:
    """The end of a leg. If the leg did not take the call, [leg] reported outcome and cause.

    The line has the instant at which Asterisk's SIP thread ended the channel. On a busy machine it may
    be later than the report, and even than the end of the call: the earlier instant counts.
    """
    leg = state.legs.get(_leg(event, state))
    if leg is None:  # not a leg of this call's rings
        return
    cause = _cause(event)
    if leg.connected is None and leg.outcome is not None:
        at = min(leg.ended or event.at, event.at)
        yield LegEnded(state.call_id, at, leg.leg_id, leg.outcome, leg.cause, leg.sip)
        return
    outcome = leg_outcome(cause, rang=leg.ringing is not None, answered=leg.connected is not None)
    party = state.consent.parties.get(leg.leg_id)
    if party is not None and party.result == "left":
        outcome = Outcome.REJECTED
    if leg.connected is None and leg.confirmation in ("no_key", "left"):
        outcome, cause = Outcome.NO_ANSWER, Cause.NO_ANSWER
    yield LegEnded(state.call_id, event.at, leg.leg_id, outcome, cause)
    if leg.connected is not None and state.left is not None:
        yield from _corrected_end(state.left, cause)


def _confirmation(event: CelEvent) -> Literal["key", "no_key", "left"]:
    """Raises KeyError."""
    return CONFIRMATIONS[event.extra["result"]]


def _corrected_end(left: CallerLeft, cause: int) -> Iterator[Entry]:
    """The end of the call, corrected by the destination's event if that came second. The order is chance."""
    if cause == Cause.CHANNEL_UNAVAILABLE:
        yield CallerLeft(left.call, left.at, "network", cause)
    elif left.by == "destination" and cause not in (Cause.NOT_SET, left.cause):
        yield CallerLeft(left.call, left.at, left.by, cause)


def _legs_reported(event: CelEvent, state: CallState) -> Iterator[Entry]:
    """What [back], or the end of the call, reports of the legs of this ring, and when a single leg rang."""
    given_up = event.extra.get("status") == "CANCEL"
    reported = tuple(attempts(state.call_id, event.extra.get("legs", ""), given_up=given_up))
    yield from _rang(event, state, reported)
    yield from _ended(event, state, reported)
    if state.connected is not None and not state.recordings and event.withdraws(state.answered):
        yield from _withdrawn(event, state, state.legs[state.connected.leg])


def _withdrawn(event: CelEvent, state: CallState, leg: Leg) -> Iterator[Entry]:
    """The caller's answer was in vain, so the leg did not take the call; its line may have come first."""
    yield CallerLeft(state.call_id, event.at, "caller", Cause.NORMAL, unanswered=True)
    if leg.ended is not None:
        yield LegEnded(state.call_id, leg.ended, leg.leg_id, Outcome.NO_ANSWER, leg.cause, leg.sip)


def _is_unanswered(state: CallState) -> bool:
    return state.left is not None and state.left.unanswered


def _ended(event: CelEvent, state: CallState, reported: Iterable[Attempt]) -> Iterator[Entry]:
    """The end of each leg, and its answer if Dial had not seen that: the caller gave up in that moment.

    CEL's ANSWER line of the leg is missing then, but its last response is a 2xx: the carrier bills the leg.
    """
    for attempt in reported:
        if leg := state.legs.get(attempt.leg):
            at = leg.ended or event.at
            if leg.answered is None and attempt.sip in ANSWERS:
                yield LegAnswered(state.call_id, at, leg.leg_id)
            yield LegEnded(state.call_id, at, leg.leg_id, attempt.outcome, attempt.cause, attempt.sip)


def _rang(event: CelEvent, state: CallState, reported: tuple[Attempt, ...]) -> Iterator[Entry]:
    """RINGTIME_MS counts from the creation of the first leg that rang: enough for a ring of one leg.

    For a ring of several, Dial events report when each leg rang (engine.ari.hand_over).
    """
    after = event.extra.get("rang") or event.extra.get("progress")
    since = _ring_began(event, state)
    answered = {leg.leg_id for leg in state.legs.values() if leg.answered and leg.began >= since}
    leg_ids = {attempt.leg for attempt in reported} | answered
    legs = [state.legs[leg_id] for leg_id in leg_ids if leg_id in state.legs]
    if after and len(legs) == 1 and legs[0].ringing is None:
        yield LegRang(state.call_id, _later(legs[0].began, after), legs[0].leg_id)


def _ring_began(event: CelEvent, state: CallState) -> datetime:
    """When the ring began that this event reports. Ring 0 is the fallback's.

    A new engine may hand a call over in the moment in which its lease takes it to the fallback; the hand-over
    is journalled, and comes to nothing. So it does not say when the fallback was dialled.
    """
    if state.fell_back is not None and event.extra.get("ring", "0") == "0":
        return state.fell_back
    return state.handovers[-1].at if state.handovers else state.began


def _later(began: datetime, milliseconds: str) -> datetime:
    """Raises ValueError."""
    try:
        return began + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        raise ValueError("not the duration of a ring") from None


def _cause(event: CelEvent) -> int:
    """Return the Q.850 cause of this event, 0 if it has none. Raises ValueError."""
    return int(str(event.extra.get("hangupcause", 0)))


def _ended_by(event: CelEvent, state: CallState) -> tuple[EndedBy, int]:
    """Return who ended the call, and its Q.850 cause: measured (docs/decisions/013-cel-is-the-ledger.md).

    The limit of a conversation, an RTP timeout and the end of Asterisk belong to neither party.
    """
    cause = _cause(event)
    source = event.extra.get("hangupsource", "")
    leg = state.legs.get(state.connected.leg) if state.connected else None
    if Cause.CHANNEL_UNAVAILABLE in (cause, leg and leg.cause):
        return "network", Cause.CHANNEL_UNAVAILABLE
    if source == event.name:
        return "caller", Cause.NORMAL
    if not source and cause == Cause.BY_OPERATOR:
        return "engine", cause
    if leg is None:
        return "engine", cause
    if source == DIALPLAN:
        return "limit", Cause.NORMAL
    return ("destination", leg.cause or cause) if source else ("network", cause)
