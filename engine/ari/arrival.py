"""A call as it comes in: the one place where what a network says becomes a caller and a dialled number."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation, identify
from dialplan.number import international
from engine.ari.events import StasisStart
from engine.ari.state import ChannelInfo
from journal.cel import CelEvent
from journal.entries import CallStarted
from journal.ids import call_id_of
from journal.state import CallState


@dataclass(frozen=True, slots=True)
class Arrival:
    """`dialled` is digits and `+` only: the dialplan's guard lets nothing else in."""

    channel_id: str
    call_id: str
    dialled: str
    caller: Caller
    entered: datetime


def arrival(event: StasisStart, country: str, node: str) -> Arrival:
    """A new call. `country` is the calling code of numbers in national form, or empty."""
    return _arrival(event.channel, event.args[1], event.at, country, node)


def overlooked(channel: ChannelInfo, country: str, node: str) -> Arrival:
    """A call that an engine was told of and died before it wrote that down."""
    return _arrival(channel, channel.exten, channel.created, country, node)


def journalled(state: CallState) -> Arrival:
    """A call that an earlier engine wrote down."""
    caller = Caller(Presentation.SHOWN, state.caller) if state.caller else UNKNOWN
    return Arrival(
        state.channel, state.call_id, state.number, WITHHELD if state.withheld else caller, state.began
    )


def fallen_back(event: CelEvent, country: str, node: str) -> Arrival:
    """A call that no journal knows. Its caller is not in CEL, only whether the number was withheld."""
    withheld = event.extra.get("presentation", "").startswith("prohib")
    call_id, dialled = call_id_of(event.call, node), international(event.extra["dialled"], country)
    return Arrival(event.call, call_id, dialled, WITHHELD if withheld else UNKNOWN, came_at(event))


def given_up(began: CelEvent, country: str, node: str) -> Arrival:
    """A call that an engine died with, and whose caller left before anything else happened.

    `began`: its CHAN_START. Neither caller nor presentation is known.
    """
    call_id, dialled = call_id_of(began.call, node), international(began.exten, country)
    return Arrival(began.call, call_id, dialled, UNKNOWN, began.at)


def came_at(event: CelEvent) -> datetime:
    """When the call came in, which the door noted: the caller may have waited for an engine in vain."""
    with suppress(KeyError, ValueError, OverflowError):
        return datetime.fromtimestamp(float(event.extra["came"]), UTC)
    return event.at


def told_later(state: CallState, came: Arrival) -> CallStarted:
    """What ARI tells of a call that CEL has begun: when it came in, and who called."""
    return CallStarted(
        state.call_id,
        came.entered,
        number=state.number,
        owner=state.owner,
        withheld=came.caller.withheld,
        node=state.node,
        channel=state.channel,
        caller=came.caller.number or "",
        missed=state.missed,
        routing=state.routing,
    )


def _arrival(channel: ChannelInfo, dialled: str, entered: datetime, country: str, node: str) -> Arrival:
    presentation = channel.variables.get("CALLERID(pres)", "")
    privacy = channel.variables.get("X_PRIVACY", "")
    caller = identify(international(channel.caller_number, country), presentation, privacy)
    call_id = call_id_of(channel.id, node)
    return Arrival(channel.id, call_id, international(dialled, country), caller, entered)
