"""A call as it comes in: the only place where text of a network becomes a caller and a dialled number."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

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
    """`dialled` contains digits and `+` only: the dialplan's guard lets nothing else in.

    `country` of the functions below: the calling code of numbers in national form, or empty.
    """

    channel_id: str
    call_id: str
    dialled: str
    caller: Caller
    entered: datetime
    trunk: str = ""  # the carrier that the call came from; "" if unknown

    @classmethod
    def of_event(cls, event: StasisStart, country: str, node: str) -> Self:
        """A new call."""
        return cls._of_channel(event.channel, event.args[1], event.at, country, node)

    @classmethod
    def of_stray(cls, channel: ChannelInfo, country: str, node: str) -> Self:
        """A call whose StasisStart an engine received, and died before it journalled it."""
        return cls._of_channel(channel, channel.exten, channel.created, country, node)

    @classmethod
    def of_journal(cls, state: CallState) -> Self:
        """A call that an earlier engine journalled."""
        caller = Caller(Presentation.SHOWN, state.caller) if state.caller else UNKNOWN
        known = WITHHELD if state.withheld else caller
        return cls(state.channel, state.call_id, state.number, known, state.began, state.trunk)

    @classmethod
    def of_fallback(cls, event: CelEvent, country: str, node: str) -> Self:
        """A call that no journal has. CEL does not contain the caller, only whether they are withheld."""
        withheld = event.extra.get("presentation", "").startswith("prohib")
        call_id, dialled = call_id_of(event.call, node), international(event.extra["dialled"], country)
        caller, trunk = WITHHELD if withheld else UNKNOWN, event.extra.get("from", "")
        return cls(event.call, call_id, dialled, caller, _entered(event), trunk)

    @classmethod
    def of_abandoned(cls, start: CelEvent, country: str, node: str) -> Self:
        """A call whose caller left before anything else happened, while no engine was there.

        `start`: its CHAN_START. Neither caller nor presentation is known.
        """
        call_id, dialled = call_id_of(start.call, node), international(start.exten, country)
        return cls(start.call, call_id, dialled, UNKNOWN, start.at)

    @classmethod
    def _of_channel(
        cls, channel: ChannelInfo, dialled: str, entered: datetime, country: str, node: str
    ) -> Self:
        presentation = channel.variables.get("CALLERID(pres)", "")
        privacy = channel.variables.get("X_PRIVACY", "")
        caller = identify(international(channel.caller_number, country), presentation, privacy)
        call_id = call_id_of(channel.id, node)
        trunk = channel.variables.get("X_TRUNK", "")
        return cls(channel.id, call_id, international(dialled, country), caller, entered, trunk)

    def completes(self, state: CallState) -> CallStarted:
        """What ARI adds to a call that began with CEL: when it came in, and its caller."""
        return CallStarted(
            state.call_id,
            self.entered,
            number=state.number,
            owner=state.owner,
            withheld=self.caller.withheld,
            node=state.node,
            channel=state.channel,
            caller=self.caller.number or "",
            missed=state.missed,
            routing=state.routing,
            trunk=self.trunk,
        )


def _entered(event: CelEvent) -> datetime:
    """Return when the call came in, which [door] stored: the caller may have waited for an engine in vain."""
    with suppress(KeyError, ValueError, OverflowError):
        return datetime.fromtimestamp(float(event.extra["came"]), UTC)
    return event.at
