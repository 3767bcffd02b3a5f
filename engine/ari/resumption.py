"""The calls that an earlier engine left: added first, looked for in Asterisk, then continued."""

import asyncio
from datetime import datetime

import structlog

from dialplan.result import Result
from engine.ari import takeover
from engine.ari.arrival import Arrival
from engine.ari.calls import Calls
from engine.ari.exchange import Exchange
from engine.ari.left import Left
from engine.ari.live import Live
from engine.ari.state import AppInfo
from engine.call_journal import CallHandler, CallJournal, CallServices
from journal.entries import CallEnded
from journal.state import CallState

log = structlog.get_logger()


class Resumption:
    """Takes over the calls of an earlier engine, and callers that no engine journalled.

    `unreadable`: number of calls that this engine cannot read.
    """

    def __init__(
        self, exchange: Exchange, services: CallServices, handle: CallHandler, calls: Calls, left: Left
    ) -> None:
        self._exchange, self._services, self._handle, self._calls = exchange, services, handle, calls
        self._unfinished, self._unended = left.read()
        self.unreadable = len(self._unended)
        self._resumed: list[Live] = []  # added, and not continued yet

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that calls which are not added yet began under, by digest."""
        return frozenset(state.routing for state in self._unfinished)

    def add(self) -> None:
        """Add the calls, so that events reach them. End the journal of each unreadable call."""
        states, self._unfinished = self._unfinished, []
        for state in states:
            try:
                self._resumed.append(self._add(state))
            except Exception:  # one unreadable call must not keep the others from being taken over
                log.exception("call_unreadable", call=state.call_id)
                self._unended.append(state.call_id)
                self.unreadable += 1
        unended, self._unended = self._unended, []
        for call_id in unended:
            self._end_unreadable(call_id)

    def _add(self, state: CallState) -> Live:
        line = takeover.line_of(self._exchange, state)
        live = self._calls.add(line, CallJournal(self._services, state))
        try:
            takeover.listen(live)
        except Exception:
            self._calls.remove(live)
            raise
        return live

    def _end_unreadable(self, call_id: str) -> None:
        """End the journal of the call: the worker moves its entries to the dead letters."""
        at = self._exchange.last_known
        self._services.append(CallEnded(call_id, at, Result.LOST, "lost"))
        self._calls.past.add(call_id, at)

    async def look_for_all(self, asked: datetime, started: datetime) -> None:
        """Ask Asterisk for each call that came in before `asked`. `started`: when Asterisk did."""
        ours = [live for live in self._calls.present if live not in self._resumed]
        present = set(self._calls.channels)
        left = [live for live in self._resumed if live.line.id in present]
        await asyncio.gather(
            *(self._look(live, started) for live in ours if live.line.entered < asked),
            *(self._look(live, started, left_to_us=True) for live in left),
        )

    async def _look(self, live: Live, started: datetime, *, left_to_us: bool = False) -> None:
        try:
            await takeover.look(live.line, live.journal.state, started, left_to_us=left_to_us)
        except Exception:
            log.exception("call_lookup_failed", call=live.line.call_id)

    def go_on(self) -> None:
        """Continue the calls, each in its task."""
        resumed, self._resumed = self._resumed, []
        for live in resumed:
            self._calls.start(live, takeover.resume(live, self._handle))

    async def begin_strays(self, app: AppInfo, country: str) -> None:
        """Begin the calls of callers in our application whom no engine journalled."""
        for channel in await takeover.strays(self._exchange, app, self._calls.channels):
            self._calls.begin_stray(Arrival.of_stray(channel, country, self._services.node))
