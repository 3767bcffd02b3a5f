"""The services shared by all calls of a node: routing, journal, and counting and logging of entries."""

import asyncio
import logging
import re
import shutil
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import get_args

import structlog
from msgspec import to_builtins

from dialplan.number import international
from dialplan.result import Outcome
from dialplan.routing import Routing
from dialplan.step import Sort, StepPath
from engine.call_terms import CallTerms
from engine.metrics import EngineMetrics
from engine.node_memory import NodeMemory
from engine.routing_store import RoutingStore
from journal.codec import kind_of
from journal.entries import (
    Answered,
    CallEnded,
    CallEntry,
    CallStarted,
    Entry,
    Heartbeat,
    LegStarted,
    MessageEnded,
    RecordingEnded,
)
from journal.state import CallState
from journal.writer import Journal

log = structlog.get_logger()

# Logged at level info; the other entries at level debug. The whole story of a call is in its journal.
LOGGED = (CallStarted, MessageEnded, RecordingEnded, CallEnded)
# The log event of each kind of entry: call_started for CallStarted, leg_rang for LegRang.
EVENTS = {kind: re.sub("(?<=.)([A-Z])", r"_\1", kind.__name__).lower() for kind in get_args(CallEntry)}
UNKNOWN_TRUNK = "unknown"  # in the metric: the carrier of a call that began without an engine
# The caller, and where the caller's message goes, are not logged.
NOT_LOGGED = frozenset({"kind", "caller", "deliver", "missed"})

# 17 hours of messages; the journal may be on the same disk, which must never be full.
LEAST_FREE_BYTES = 10**9
LEAST_FREE_FOR_RECORDINGS = 2 * LEAST_FREE_BYTES  # the last of it is for messages, which exist nowhere else
LOOK_SECONDS = 1.0
# Entries are counted and logged a moment later: nothing that can wait delays the setup of a call.
REPORT_SECONDS = 0.1


class NodeCallServices:
    """CallServices on the routing store, the journal and the node's memory.

    `recordings`: where Asterisk writes them.
    """

    def __init__(
        self,
        node: str,
        routing_store: RoutingStore,
        journal: Journal,
        *,
        call_metrics: "CallMetrics",
        longest: timedelta,
        recordings: Path,
        memory: NodeMemory,
    ) -> None:
        self.node = node
        self._routing_store = routing_store
        self._journal = journal
        self._call_metrics = call_metrics
        self._longest = longest
        self._recordings = recordings
        self._memory = memory
        self._unreported: list[Entry] = []

    def terms(self, dialled: str) -> CallTerms | None:
        """Return the terms of a call that comes in now; None if the number is not in the routing."""
        return self._terms(dialled, self._routing_store.in_force)

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        """Return the terms of a call that began under this routing version, for its takeover.

        If the version is not available, or the call's entry names none, the terms in force now.
        """
        routing = await self._routing_store.version(digest) if digest else None
        terms = routing and self._terms(dialled, routing)
        if terms is None and digest:
            log.warning("routing_version_missing", digest=digest)
        return terms or self.terms(dialled)

    def _terms(self, dialled: str, routing: Routing) -> CallTerms | None:
        number = routing.number(international(dialled))
        if number is None:
            return None
        owner = self._memory.owners.apply(number.owner, routing.owner(number))
        return CallTerms(
            number,
            owner,
            lambda name: routing.prompt(name, owner.language),
            self._longest,
            routing.digest,
            routing.lists,
            self._memory.switches.on(number.number, number.owner, datetime.now(UTC)),
            self._memory.left_out(number),
            routing.prompt,
        )

    async def why_no_message(self) -> str | None:
        return await self._why_no_audio(LEAST_FREE_BYTES)

    async def why_no_recording(self) -> str | None:
        return await self._why_no_audio(LEAST_FREE_FOR_RECORDINGS)

    async def _why_no_audio(self, least: int) -> str | None:
        if self._journal.degraded:
            return "the journal cannot be written"
        return await why_no_room(self._recordings, least)

    def append(self, entry: Entry) -> Awaitable[None]:
        written = self._journal.append(entry)
        if isinstance(entry, CallEnded):
            self._memory.leave(entry.call)
        if not self._unreported:  # in a context of its own: the next entry may be another call's
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self.report, context=Context())
        self._unreported.append(entry)
        return written

    def count(self, key: str) -> int:
        return self._memory.counters.count(key)

    def enter(self, key: str, call: str, most: int) -> bool:
        return self._memory.limits.enter(key, call, most)

    def may_call(self, state: CallState, path: StepPath, most: int, seconds: float) -> bool:
        return self._memory.rates.may_call(state, path, most, seconds, monotonic())

    def attend(self, state: CallState) -> None:
        self._memory.destinations.attend(state)

    def sort(self, sort: Sort, state: CallState) -> tuple[str, ...]:
        return self._memory.destinations.sort(sort, state, monotonic())

    def attempted(self, to: str, outcome: Outcome) -> int:
        return self._memory.destinations.attempted(to, outcome, monotonic())

    def may_report(self, to: str) -> bool:
        return self._memory.destinations.breakers.may_report(to, monotonic())

    def remember(self, state: CallState, path: StepPath, period: timedelta) -> None:
        self._memory.destinations.remember(state, path, monotonic() + period.total_seconds())

    async def is_pin(self, pin: str, number: str, owner: str, caller: str) -> bool:
        try:
            return await asyncio.to_thread(self._memory.pins.is_right, pin, number, owner, caller)
        except OSError as error:
            log.warning("pins_unreadable", file=str(error.filename), why=type(error).__name__)
            return False

    async def put_switch(self, target: str, name: str, hours: int, call_id: str) -> bool | None:
        until = datetime.now(UTC) + timedelta(hours=hours)
        try:
            return await asyncio.to_thread(self._memory.switches.put, target, name, until, f"call {call_id}")
        except OSError as error:
            log.exception("switch_not_put", target=target, name=name, why=str(error))
            return None

    def report(self) -> None:
        """Count and log the entries appended since the last time. A failure costs the line of one entry."""
        unreported, self._unreported = self._unreported, []
        for entry in unreported:
            try:
                self._call_metrics.count(entry)
                log_entry(entry)
            except Exception:
                log.exception("entry_not_counted", kind=kind_of(entry), call=entry.call)


async def why_no_room(recordings: Path, least: int = LEAST_FREE_BYTES) -> str | None:
    """Return why this folder takes no message; None if it does. A disk that does not answer takes none."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            free = (await asyncio.to_thread(shutil.disk_usage, recordings)).free
    except (OSError, TimeoutError) as error:
        return f"asterisk.recordings, {recordings}, cannot be read: {type(error).__name__}"
    return (
        f"{free / 1e9:.1f} GB are free in {recordings}, {least / 1e9:g} are needed" if free < least else None
    )


@dataclass(slots=True)
class _Setup:
    """The setup of a live call, as far as it is not measured yet."""

    began: datetime
    awaits_leg: bool = True
    awaits_answer: bool = True


class CallMetrics:
    """Counts calls by the entries of the journal."""

    def __init__(self, metrics: EngineMetrics, unfinished: Mapping[str, Sequence[Entry]]) -> None:
        self._metrics = metrics
        self._setups: dict[str, _Setup] = {}
        metrics.calls_live.set_function(lambda: len(self._setups))
        for call, entries in unfinished.items():
            try:
                for entry in entries:
                    self._follow(entry)
            except Exception:  # an engine that cannot count its calls takes them nevertheless
                log.exception("entry_not_counted", call=call)

    def count(self, entry: Entry) -> None:
        """Count an entry of this engine."""
        if isinstance(entry, CallStarted) and entry.call not in self._setups:
            self._metrics.calls_from.labels(entry.trunk or UNKNOWN_TRUNK).inc()
        self._follow(entry)

    def _follow(self, entry: Entry) -> None:
        match entry:
            case CallStarted() if entry.call not in self._setups:
                self._setups[entry.call] = _Setup(entry.at)
            case LegStarted() if (setup := self._setups.get(entry.call)) and setup.awaits_leg:
                setup.awaits_leg = False
                self._observe_setup("dialled", setup, entry.at)
            case Answered() if (setup := self._setups.get(entry.call)) and setup.awaits_answer:
                setup.awaits_answer = False
                self._observe_setup("answered", setup, entry.at)
            case CallEnded() if self._setups.pop(entry.call, None):
                self._metrics.calls.labels(entry.outcome).inc()

    def _observe_setup(self, until: str, setup: _Setup, at: datetime) -> None:
        self._metrics.setup_seconds.labels(until).observe((at - setup.began).total_seconds())


def log_entry(entry: Entry) -> None:
    """Log an entry, without the caller's number."""
    level = log.info if isinstance(entry, LOGGED) else log.debug
    if isinstance(entry, Heartbeat) or (level == log.debug and not log.is_enabled_for(logging.DEBUG)):
        return
    fields = to_builtins(entry)
    level(EVENTS[type(entry)], **{key: value for key, value in fields.items() if key not in NOT_LOGGED})
