"""Delivers each event to its listeners. Synchronous; never raises, whatever a listener does."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeGuard

import structlog

from engine.ari.events import Event, StasisStart, Subject

Sink = Callable[[Event], None]

log = structlog.get_logger()


class Dispatcher:
    """Delivers each event to the listeners of its subject; a new call always to `on_call`.

    Listen before the request that causes the event: in 9 of 100 tries an event came before the reply.

    While holding, new calls and events without a listener wait, in order. A new listener gets the events that
    wait for it at once; `release` delivers the rest: a call that is taken over after a crash misses none.

    The channel of a new call may have the id of a channel of a former Asterisk, which still has a listener.
    """

    def __init__(self, on_call: Callable[[StasisStart], None]) -> None:
        """`on_call` adds a listener before it returns: the next event may be the caller's hang-up."""
        self.unclaimed = 0  # events without a listener
        self._on_call = on_call
        self._sinks: defaultdict[Subject, list[Sink]] = defaultdict(list)
        self._held: list[Event] | None = None

    def dispatch(self, event: Event) -> None:
        """Deliver one event, or hold it."""
        self.unclaimed += not self._route(event)

    @contextmanager
    def listen(self, subject: Subject, sink: Sink) -> Iterator[None]:
        """Deliver all events about `subject` to `sink`; first, at once, those that were held."""
        sinks = self._sinks[subject]
        sinks.append(sink)
        try:
            self._catch_up(subject, sink)
            yield
        finally:
            sinks.remove(sink)
            if not sinks:
                self._sinks.pop(subject, None)

    @contextmanager
    def expect[E: Event](self, subject: Subject, *kinds: type[E]) -> Iterator[asyncio.Future[E]]:
        """Yield a future of the first event of these kinds about `subject`."""
        future: asyncio.Future[E] = asyncio.get_running_loop().create_future()

        def take(event: Event) -> None:
            if isinstance(event, kinds) and not future.done():
                future.set_result(event)

        with self.listen(subject, take):
            yield future

    def hold(self) -> None:
        """From now on, hold new calls and events without a listener."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """Deliver what was held, in order, and stop holding."""
        held, self._held = self._held or [], None
        for event in held:
            self.dispatch(event)

    def _route(self, event: Event) -> bool:
        """Return whether the event was delivered or held."""
        if event.about is None:
            return False
        sinks = () if is_new(event) else tuple(self._sinks.get(event.about, ()))
        for sink in sinks:
            self._deliver(sink, event)
        if not sinks and self._held is not None:
            self._held.append(event)
        elif is_new(event):
            self._deliver(self._on_call, event)
        elif not sinks:
            return False
        return True

    def _catch_up(self, subject: Subject, sink: Sink) -> None:
        if not self._held:
            return
        waited = [event for event in self._held if event.about == subject and not is_new(event)]
        self._held = [event for event in self._held if event.about != subject or is_new(event)]
        for event in waited:
            self._deliver(sink, event)

    def _deliver[E: Event](self, sink: Callable[[E], None], event: E) -> None:
        try:
            sink(event)
        except Exception:  # one call's error ends at that call: the next event is another's
            log.exception("listener_failed", event_type=type(event).__name__)


def is_new(event: Event) -> TypeGuard[StasisStart]:
    """Whether this is a new call."""
    return isinstance(event, StasisStart) and event.is_call
