"""Call services without Asterisk and database, and engines that attend a call on the fake line."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from dialplan.result import Outcome
from dialplan.step import Sort, StepPath
from engine.breakers import Breakers
from engine.call_journal import CallJournal, begin
from engine.call_limits import CallLimits
from engine.call_terms import CallTerms
from engine.caller_rates import CallerRates
from engine.destinations import Destinations
from engine.handle import handle
from journal.codec import encode
from journal.entries import CallEnded, Entry
from journal.state import CallState, fold
from tests.unit.fakes import FakeLine


@dataclass
class FakeCallServices:
    """Call services with the terms of one number, and a journal that is a list.

    `full`: why it takes no message and no recording.
    """

    call_terms: CallTerms | None
    node: str = "test1"
    full: str | None = None
    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    shift: float = 0.0  # later than the loop's clock
    attempts: list[tuple[str, Outcome]] = field(default_factory=list)
    destinations: Destinations = field(default_factory=lambda: Destinations(Breakers(3)))
    rates: CallerRates = field(default_factory=CallerRates)
    put: list[tuple[str, str, int, str]] = field(default_factory=list)
    limits: CallLimits = field(default_factory=lambda: CallLimits({}))

    def terms(self, dialled: str) -> CallTerms | None:
        return self.call_terms

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        return self.call_terms

    async def why_no_message(self) -> str | None:
        return self.full

    async def why_no_recording(self) -> str | None:
        return self.full

    def append(self, entry: Entry) -> Awaitable[None]:
        encode(entry)  # an entry that the journal cannot write fails here too
        self.entries.append(entry)
        if isinstance(entry, CallEnded):
            self.limits.leave(entry.call)
            self.destinations.leave(entry.call)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def count(self, key: str) -> int:
        self.counts[key] += 1
        return self.counts[key] - 1

    def enter(self, key: str, call: str, most: int) -> bool:
        return self.limits.enter(key, call, most)

    def may_call(self, state: CallState, path: StepPath, most: int, seconds: float) -> bool:
        return self.rates.may_call(state, path, most, seconds, self._time())

    def attend(self, state: CallState) -> None:
        self.destinations.attend(state)

    def sort(self, sort: Sort, state: CallState) -> tuple[str, ...]:
        return self.destinations.sort(sort, state, self._time())

    def attempted(self, to: str, outcome: Outcome) -> int:
        self.attempts.append((to, outcome))
        return self.destinations.attempted(to, outcome, self._time())

    def may_report(self, to: str) -> bool:
        return self.destinations.breakers.may_report(to, self._time())

    async def is_pin(self, pin: str, number: str, owner: str, caller: str) -> bool:
        return pin == "481516"

    async def put_switch(self, target: str, name: str, hours: int, call_id: str) -> bool | None:
        self.put.append((target, name, hours, call_id))
        return True

    def remember(self, state: CallState, path: StepPath, period: timedelta) -> None:
        self.destinations.remember(state, path, self._time() + period.total_seconds())

    def _time(self) -> float:
        return asyncio.get_running_loop().time() + self.shift

    def for_another_call(self) -> "FakeCallServices":
        """The same with a journal of its own; what the node counts is shared."""
        return replace(self, entries=[])

    def of[E: Entry](self, kind: type[E]) -> list[E]:
        """The entries of this kind."""
        return [entry for entry in self.entries if isinstance(entry, kind)]

    @property
    def kinds(self) -> list[str]:
        """The kind of each entry, by its class."""
        return [type(entry).__name__ for entry in self.entries]


async def attend(line: FakeLine, services: FakeCallServices) -> CallState:
    """The whole call; its state, which its journal gives as well."""
    line.journal = begin(line, services.call_terms, services)
    await handle(line, services.call_terms, line.journal)
    return whole(line, services)


async def leave_after(seconds: float, line: FakeLine, services: FakeCallServices) -> None:
    """An engine that is killed so many seconds after the call came in. Asterisk goes on."""
    work = asyncio.create_task(attend(line, services))
    await asyncio.sleep(seconds)  # of a jumping clock
    work.cancel()
    await asyncio.wait({work})


async def take_over(line: FakeLine, services: FakeCallServices) -> CallState:
    """What the next engine does with the call, which knows of it what the journal says."""
    line.heard.clear()
    line.journal = CallJournal(services, fold(services.entries))
    await handle(line, await services.terms_under(line.dialled, ""), line.journal)
    return whole(line, services)


def whole(line: FakeLine, services: FakeCallServices) -> CallState:
    assert fold(services.entries) == line.journal.state
    assert line.journal.state.ending is not None
    return line.journal.state
