"""The calls that are not over: each with a task of its own, found by its channel."""

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from engine.ari.arrival import Arrival
from engine.ari.door import Door
from engine.ari.events import StasisStart
from engine.ari.exchange import Exchange, best_effort
from engine.ari.line import AriLine
from engine.ari.live import Live, Lives
from engine.ari.past import Past
from engine.ari.unattended import Unattended
from engine.ari.unheard import Unheard
from engine.call_journal import CallHandler, CallJournal, CallServices, begin
from journal.cel import CelEvent
from journal.entries import ClockStepped, FellBack
from journal.state import CallState
from journal.writer import JournalClosed
from process.clock import Step

log = structlog.get_logger()

A_MOMENT = timedelta(microseconds=1)


class Calls:
    """`handle` attends to a call. `past`: calls that are over. `taken`: number of CEL events so far."""

    def __init__(
        self,
        exchange: Exchange,
        services: CallServices,
        handle: CallHandler,
        *,
        country: str,
        ended: Mapping[str, datetime],
        door: Door,
    ) -> None:
        self.taken = 0
        self.past = Past(ended, services.node)
        self._exchange = exchange
        self._services = services
        self._handle = handle
        self._country = country
        self._door = door
        self._unattended = Unattended(country, services.node)
        self._unheard = Unheard(exchange)
        self._lives = Lives()
        self._former = Lives()  # of an Asterisk that has ended
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._lives) + len(self._former)

    @property
    def present(self) -> list[Live]:
        """The calls of the present Asterisk."""
        return list(self._lives)

    @property
    def states(self) -> list[CallState]:
        """The states of these calls, and of those of a former Asterisk that have not ended."""
        return [live.journal.state for live in [*self._lives, *self._former]]

    @property
    def channels(self) -> frozenset[str]:
        """The callers' channels of these calls."""
        return self._lives.channels

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that all live calls began under, by digest."""
        return frozenset(live.journal.state.routing for live in [*self._lives, *self._former])

    # How a call begins.

    def on_call(self, event: StasisStart) -> None:
        """Begin a new call. It is subscribed to its events before the next event is read."""
        arrival = Arrival.of_event(event, self._country, self._services.node)
        live = self._lives.get(arrival.channel_id)
        if live is not None:  # it began with a CEL event
            live.journal.append(arrival.completes(live.journal.state))
            self._lives.add(live)
            return
        admitted = self.past.admit(arrival)
        if admitted is None:
            log.warning("late_call_ignored", call=arrival.call_id)
        elif self._door.drain.is_on:
            self._send_to_fallback(admitted)
        else:
            self._exchange.waiting.add(admitted.channel_id)
            same_caller = self._lives.of_caller(admitted.caller.number or "")
            self.begin(admitted, refused=self._door.is_loop(admitted, same_caller))

    def begin(self, arrival: Arrival, *, refused: bool = False, former: bool = False) -> Live:
        """Start a task for the call. `former`: its Asterisk has ended."""
        self._unattended.forget(arrival.channel_id)
        terms = self._services.terms(arrival.dialled)
        line = AriLine(self._exchange, arrival)
        live = self._add(Live(line, begin(line, terms, self._services)), former=former)
        self.start(live, self._handle(line, terms, live.journal, refused=refused))
        return live

    def _send_to_fallback(self, arrival: Arrival) -> None:
        """Begin a call whose route is not walked: the dialplan takes the caller to the fallback."""
        terms = self._services.terms(arrival.dialled)
        line = AriLine(self._exchange, arrival)
        live = self._add(Live(line, begin(line, terms, self._services)))
        live.journal.append(FellBack(arrival.call_id, arrival.entered, ()))
        self.start(live, self._fall_back(line, arrival.dialled, self._handle(line, terms, live.journal)))

    async def _fall_back(self, line: AriLine, dialled: str, work: Coroutine[Any, Any, None]) -> None:
        await best_effort(
            self._exchange.client.channels.continue_in_dialplan(
                line.id, context="fallback", extension=dialled, priority=1
            )
        )
        await work

    async def hang_up(self, call_id: str) -> bool:
        """Hang up a live call, whatever it does; False if there is none. Its record says `engine`, 31."""
        for live in self._lives:
            if live.line.call_id == call_id:
                await live.line.hang_up_for_operator()
                return True
        return False

    def begin_stray(self, arrival: Arrival) -> None:
        """Begin the call of a caller whom no engine has. Its failure does not keep the others waiting."""
        try:
            if (admitted := self.past.admit(arrival)) is not None:
                self._exchange.waiting.add(admitted.channel_id)
                self.begin(admitted)
        except Exception:
            log.exception("stray_not_taken", call=arrival.call_id)

    def add(self, line: AriLine, journal: CallJournal) -> Live:
        """Subscribe a call that an earlier engine left to its events; `start` its task later."""
        self.past.restarts.has_channel(line.id, line.entered)
        return self._add(Live(line, journal))

    def remove(self, live: Live) -> None:
        """Take back `add`."""
        live.listening.close()
        self._lives.remove(live)

    def _add(self, live: Live, *, former: bool = False) -> Live:
        if former:
            self._former.add(live)
        else:
            self._lives.add(live)
            live.listen()
        return live

    # What happens to them.

    async def take(self, events: Sequence[CelEvent]) -> None:
        """Note the entries of these events; return when they are on the disk."""
        written: Awaitable[None] | None = None
        self.taken += len(events)
        for event in events:
            self._exchange.last_known = max(self._exchange.last_known, event.at)
            if event.kind == "CHAN_START":
                self.past.restarts.began(event.channel, event.at)
            self.past.restarts.heard(event.at)
            live = self._call_of(event)
            if live is not None:
                written = live.on_cel(event) or written
        if written is not None:
            await written

    def _call_of(self, event: CelEvent) -> Live | None:
        """Return the call of this event; begin the call if the event is its first."""
        try:
            if self._door.on_cel(event):
                self._free_lines()
            return self._live(event) or self._begin_unattended(event)
        except JournalClosed:  # the next engine reads the event again
            raise
        except Exception:  # otherwise no event after this one would be read
            log.exception("cel_not_understood", kind=event.kind, channel=event.call)
            return None

    def _free_lines(self) -> None:
        """Hang up callers who never sent anything: another call was refused."""
        if (looking := self._unheard.look(self.present)) is not None:
            self._keep(asyncio.create_task(looking))

    def _live(self, event: CelEvent) -> Live | None:
        """Return the live call of this event. Of two calls with one channel id, choose by their Asterisk."""
        former = self._former.get(event.call) if self._is_former(event) else None
        return former or self._lives.get(event.call)

    def _is_former(self, event: CelEvent) -> bool:
        return self.past.restarts.after(event.at) is not None

    def _begin_unattended(self, event: CelEvent) -> Live | None:
        """Begin a call that no journal has."""
        arrival = self._unattended.arrival(event)
        admitted = self.past.admit(arrival) if arrival else None
        if admitted is None:
            return None
        live = self.begin(admitted, former=self._is_former(event))
        if event.kind == "RING":
            live.journal_unattended_ring(event)
        log.info("call_without_engine", call=admitted.call_id)
        return live

    def begin_again(self, since: datetime) -> None:
        """Asterisk restarted at `since`: only CEL can still report anything of the calls so far."""
        self.past.restarts.add(since, self._exchange.last_known)
        for live in self.present:
            self._leave_to_cel(live, since)

    def began_again(self) -> None:
        """Earlier engines noticed restarts, and may have ended before they had ended the calls.

        The journal may have calls of each Asterisk.
        """
        for live in self.present:
            if (restart := self.past.restarts.after(live.line.entered)) is not None:
                self._leave_to_cel(live, restart.since)

    def _leave_to_cel(self, live: Live, since: datetime) -> None:
        live.listening.close()
        self._lives.remove(live)
        self._former.add(live)
        self.past.add(live.line.call_id, since - A_MOMENT)  # at the latest

    def end_former(self) -> None:
        """End the calls of a former Asterisk that have not ended now that CEL has been read.

        Among them those whose caller waited for an engine when Asterisk died, and no engine was there.
        """
        since = self.past.restarts.since
        for arrival in self._unattended.left_by_a_former(since) if since else ():
            if (admitted := self.past.admit(arrival)) is not None:
                self.begin(admitted, former=True)
                log.info("call_without_engine", call=admitted.call_id)
        for live in list(self._former):
            state, restart = live.journal.state, self.past.restarts.after(live.line.entered)
            known = restart.known if restart else state.latest
            live.line.lose_with_asterisk(max(known, state.latest, key=state.steady))

    def clock_stepped(self, step: Step) -> None:
        """Note in the journal of each call that the clock was set."""
        self.past.restarts.clock_stepped(timedelta(seconds=step.seconds))
        for live in [*self._lives, *self._former]:
            live.journal.append(ClockStepped(live.line.call_id, step.at, step.before, step.seconds))

    # Their tasks.

    def start(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.create_task(self._attend(live, work)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        line = live.line
        with live.listening, structlog.contextvars.bound_contextvars(call=line.call_id):
            try:
                await work
            except Exception:
                if self._lives.get(line.id) is live:
                    await best_effort(self._exchange.client.channels.hangup(line.id))
                log.exception("call_task_failed")
            finally:
                self._forget(live)

    def _forget(self, live: Live) -> None:
        if not self._exchange.detached:
            self._exchange.waiting.discard(live.line.id)
        for lives in (self._lives, self._former):
            lives.remove(live)
        if (ending := live.journal.state.ending) is not None:
            self.past.add(live.line.call_id, ending.at)

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        self._exchange.detached = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.waiting.leave(self._exchange.client)
