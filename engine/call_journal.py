"""The journal of one call, and what a call asks of the node that it came to."""

from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from dialplan.result import Outcome
from dialplan.step import Sort, StepPath
from engine.call_terms import CallTerms
from engine.line import Line
from journal.entries import CallStarted, Entry
from journal.state import CallState


class CallServices(Protocol):
    """The services shared by all calls: the routing in force, and the journal."""

    @property
    def node(self) -> str: ...
    def terms(self, dialled: str) -> CallTerms | None:
        """Return the terms of a dialled number; None if the number is not in the routing."""

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        """Return the terms in the routing version that a call began under; if it is gone, those in force."""

    async def why_no_message(self) -> str | None:
        """Return why no message can be taken now; None if one can."""

    async def why_no_recording(self) -> str | None:
        """Return why no conversation can be recorded now; None if one can."""

    def append(self, entry: Entry) -> Awaitable[None]:
        """Append an entry to the journal; await the result to wait until it is on the disk."""

    def count(self, key: str) -> int:
        """Count a call under this key; return how many were counted before."""

    def enter(self, key: str, call: str, most: int) -> bool:
        """Add a call at a step that limits calls; return False if the limit is reached."""

    def may_call(self, state: CallState, path: StepPath, most: int, seconds: float) -> bool:
        """Count a call of this caller; return False if there were `most` in the last `seconds` already."""

    def attend(self, state: CallState) -> None:
        """Follow the state of a live call."""

    def sort(self, sort: Sort, state: CallState) -> tuple[str, ...]:
        """Return those of the destinations that fit, in order."""

    def attempted(self, to: str, outcome: Outcome) -> int:
        """Remember the outcome of an attempt at a destination; TAKEN when the conversation is over.

        Return after how many attempts in a row the destination is left out from now on, else 0.
        """

    def may_report(self, to: str) -> bool:
        """Whether the owner may be told that this destination is left out: not again within some hours."""

    async def is_pin(self, pin: str, number: str, owner: str, caller: str) -> bool:
        """Whether this is the PIN by which the switches of a number, or of its owner, may be put on.

        `caller`: their number, "" if it is withheld or unknown: wrong PINs are counted by caller.
        """

    async def put_switch(self, target: str, name: str, hours: int, call_id: str) -> bool | None:
        """Put a switch on for so long, or off if it is on. Return whether it is on; None if that failed."""

    def remember(self, state: CallState, path: StepPath, period: timedelta) -> None:
        """Remember for so long which destination talked with this caller."""


@dataclass(slots=True)
class CallJournal:
    """The journal of one call: each entry is appended and applied to the call's state, in one step."""

    services: CallServices
    state: CallState
    started: Awaitable[None] | None = None  # None: an earlier engine journalled the start
    newest: Awaitable[None] | None = None

    async def written(self) -> None:
        """Wait until the start of the call is on the disk: the caller is not answered earlier."""
        if self.started is not None:
            await self.started

    def append(self, entry: Entry) -> Awaitable[None]:
        """Await the result to wait until the entry is on the disk."""
        self.state.apply(entry)
        self.newest = self.services.append(entry)
        return self.newest

    async def settled(self) -> None:
        """Wait until all entries are on the disk: the engine does not hang up earlier.

        An engine that is killed just after it has hung up would leave a call that its caller has given up.
        """
        if self.newest is not None:
            await self.newest


class CallHandler(Protocol):
    """engine.handle.handle, given to the adapter as a value: an adapter does not import the core."""

    def __call__(
        self, line: Line, terms: CallTerms | None, journal: CallJournal, *, refused: bool = False
    ) -> Coroutine[Any, Any, None]: ...


def begin(line: Line, terms: CallTerms | None, services: CallServices) -> CallJournal:
    """Note the start of a call that came in, and return its journal. Without terms it has no owner.

    The start is on the disk before the engine answers the caller.
    """
    number, owner, missed, routing = line.dialled, "", None, ""
    if terms is not None:
        number, owner, routing = terms.number.number, terms.number.owner, terms.routing
        if terms.owner.missed_calls == "mail":
            missed = terms.number.delivery(terms.owner).as_json()
    start = CallStarted(
        line.call_id,
        line.entered,
        number=number,
        owner=owner,
        withheld=line.caller.withheld,
        node=services.node,
        channel=line.id,
        caller=line.caller.number or "",
        missed=missed,
        routing=routing,
        switches=terms.switches if terms else (),
        unreachable=terms.unreachable if terms else (),
        trunk=line.trunk,
    )
    return CallJournal(services, CallState.begun(start), services.append(start))
