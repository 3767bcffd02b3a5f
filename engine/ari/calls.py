"""The calls that are not over: each with a task of its own, found by its channel."""

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from dialplan.result import Result
from engine.ari import takeover
from engine.ari.arrival import Arrival, arrival, fallen_back, given_up, told_later
from engine.ari.connect import dialled
from engine.ari.door import Door
from engine.ari.events import StasisStart
from engine.ari.exchange import Exchange, let_go
from engine.ari.line import AriLine
from engine.ari.live import Live
from engine.ari.past import Past
from engine.call import CallJournal, CallServices, begin
from engine.handle import handle
from journal.cel import CelEvent
from journal.entries import CallEnded, ClockStepped, FellBack
from journal.state import CallState
from journal.writer import JournalClosed
from process.clock import Step

log = structlog.get_logger()

A_MOMENT = timedelta(microseconds=1)
DOOR = "door"  # the context in which a caller waits for the engine
MOST_BEGUN = 10_000  # callers' channels whose beginning is remembered, about 5 MB


class Calls:
    """`ended`: calls that an earlier engine has ended of late, and when. `taken`: so many events of CEL."""

    def __init__(
        self,
        exchange: Exchange,
        services: CallServices,
        country: str,
        ended: Mapping[str, datetime],
        door: Door,
    ) -> None:
        self.taken = 0
        self._exchange = exchange
        self._door = door
        self._services = services
        self._country = country
        self._lives: dict[str, Live] = {}
        self._former: dict[str, Live] = {}  # of an Asterisk that has ended
        self._since: datetime | None = None  # when the present one began, if they are known to be two
        self._past = Past(ended, services.node)
        self._begun: dict[str, CelEvent] = {}  # by channel: CHAN_START of callers no engine has attended to
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._lives) + len(self._former)

    @property
    def present(self) -> list[Live]:
        """Those of the present Asterisk."""
        return list(self._lives.values())

    @property
    def channels(self) -> frozenset[str]:
        """Their callers' channels."""
        return frozenset(self._lives)

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that all of them began under, by digest."""
        lives = [*self._lives.values(), *self._former.values()]
        return frozenset(live.journal.state.routing for live in lives)

    # How a call begins.

    def on_call(self, event: StasisStart) -> None:
        """A call has come in; it is listened to before the next event is read."""
        came = arrival(event, self._country, self._services.node)
        live = self._lives.get(came.channel_id)
        if live is not None:  # CEL has told of it before
            live.journal.note(told_later(live.journal.state, came))
            return
        fresh = self._past.fresh(came)
        if fresh is None:
            log.warning("call_told_late", call=came.call_id)
        else:
            self.take_up(fresh, refused=self._door.goes_round(fresh, self._lives.values()))

    def take_up(self, came: Arrival, *, refused: bool = False, former: bool = False) -> Live:
        """Give the call a task of its own. `former`: its Asterisk has ended."""
        terms = self._services.terms(came.dialled)
        line = AriLine(self._exchange, came)
        live = self._listen(line, begin(line, terms, self._services), former=former)
        self.start(live, handle(line, terms, live.journal, refused=refused))
        return live

    def take_stray(self, came: Arrival) -> None:
        """A caller whom nobody attends to. One that cannot be attended to keeps no other waiting."""
        try:
            if (fresh := self._past.fresh(came)) is not None:
                self.take_up(fresh)
        except Exception:
            log.exception("stray_not_taken", call=came.call_id)

    def left_to_us(self, state: CallState) -> Live:
        """A call that an earlier engine has left: listened to, and not gone on with yet."""
        line = takeover.line_of(self._exchange, state)
        live = self._listen(line, CallJournal(self._services, state))
        try:
            takeover.listen(live.line, live.journal, live.ears)
        except Exception:
            live.ears.close()
            del self._lives[line.id]
            raise
        return live

    def _listen(self, line: AriLine, journal: CallJournal, *, former: bool = False) -> Live:
        live = Live(line, journal)
        if former:
            self._former[line.id] = live
        else:
            self._lives[line.id] = live
            live.listen()
        return live

    # What happens to them.

    async def take(self, events: Sequence[CelEvent]) -> None:
        """Note what these events amount to; returns when that is on the disk."""
        written: Awaitable[None] | None = None
        self.taken += len(events)
        for event in events:
            self._exchange.last_known = max(self._exchange.last_known, event.at)
            live = self._found(event)
            if live is not None:
                written = live.take(event) or written
        if written is not None:
            await written

    def _found(self, event: CelEvent) -> Live | None:
        """The call that this event is of, begun if it is the first of it."""
        try:
            self._door.see(event)
            return self._of(event) or self._without_engine(event)
        except JournalClosed:  # the next engine reads it again
            raise
        except Exception:  # nobody would read on behind this line
            log.exception("cel_not_understood", kind=event.kind, channel=event.call)
            return None

    def _of(self, event: CelEvent) -> Live | None:
        """The call that this event is of: of two with one channel's id, that of its own Asterisk."""
        if self._is_former(event) and event.call in self._former:
            return self._former[event.call]
        return self._lives.get(event.call)

    def _is_former(self, event: CelEvent) -> bool:
        return self._since is not None and event.at < self._since

    def _without_engine(self, event: CelEvent) -> Live | None:
        """A call that no journal knows: Asterisk has it at the number's fallback, or in a ring that an engine
        handed over and did not live to write down; or its caller gave up before either.
        """
        if event.kind == "CHAN_START" and event.is_of_caller:
            self._remember(event)
        told = self._told_by(event)
        came = self._past.fresh(told) if told else None
        if came is None:
            return None
        live = self.take_up(came, former=self._is_former(event))
        if event.kind == "RING":
            to = tuple(number for _, number in dialled(event.extra.get("to", "")))
            live.journal.note(FellBack(came.call_id, event.at, to))
        log.info("call_without_engine", call=came.call_id)
        return live

    def _told_by(self, event: CelEvent) -> Arrival | None:
        """The call that begins with this event, where no engine was told of it."""
        if event.kind in ("FALLBACK", "RING") and "dialled" in event.extra:
            return fallen_back(event, self._country, self._services.node)
        if event.kind == "HANGUP" and event.is_of_caller and (began := self._begun.pop(event.call, None)):
            left = event.context == DOOR and event.extra.get("hangupsource") == event.name
            return given_up(began, self._country, self._services.node) if left and began.exten else None
        return None

    def _remember(self, began: CelEvent) -> None:
        self._begun[began.call] = began
        if len(self._begun) > MOST_BEGUN:
            del self._begun[next(iter(self._begun))]

    def begin_again(self, since: datetime) -> None:
        """Asterisk has begun again, then: nothing more is heard of these calls, but by CEL."""
        self._since = since
        for channel, live in self._lives.items():
            live.ears.close()
            self._former[channel] = live
            self._past.add(live.line.call_id, since - A_MOMENT)  # at the latest
        self._lives.clear()

    def end_former(self) -> None:
        """CEL has been read: what has not ended by it ended with its Asterisk."""
        for live in self._former.values():
            at = takeover.last_instant(live.line, self._since or live.line.entered)
            live.line.lose(at)
            live.line.told_over(at)

    def set_aside(self, call_id: str) -> None:
        """A call that this engine cannot go on with: its journal ends, and the worker keeps what there is."""
        at = self._exchange.last_known
        self._services.note(CallEnded(call_id, at, Result.LOST, "lost"))
        self._past.add(call_id, at)

    def clock_stepped(self, step: Step) -> None:
        """The clock was set: the journal of each call says so."""
        if self._since is not None:
            self._since += timedelta(seconds=step.seconds)
        for live in [*self._lives.values(), *self._former.values()]:
            live.journal.note(ClockStepped(live.line.call_id, step.at, step.before, step.seconds))

    # Their tasks.

    def start(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._attend(live, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        line = live.line
        with live.ears, structlog.contextvars.bound_contextvars(call=line.call_id):
            try:
                await work
            except Exception:
                if self._lives.get(line.id) is live:
                    await let_go(self._exchange.client.channels.hangup(line.id))
                log.exception("call_lost_its_task")
            finally:
                self._forget(live)

    def _forget(self, live: Live) -> None:
        for lives in (self._lives, self._former):
            if lives.get(live.line.id) is live:
                del lives[live.line.id]
        if (ending := live.journal.state.ending) is not None:
            self._past.add(live.line.call_id, ending.at)

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        self._exchange.detached = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
