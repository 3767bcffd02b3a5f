"""What every call shares: the agreements in force, the journal, and who counts and tells what is noted."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from msgspec import to_builtins

from dialplan.number import international
from dialplan.routing import Routing
from engine.call import CallTerms
from engine.call_limits import CallLimits
from engine.counters import Counters
from engine.metrics import EngineMetrics
from engine.routing_store import RoutingStore
from journal.codec import kind_of
from journal.entries import (
    Answered,
    CallEnded,
    CallStarted,
    Entry,
    Heartbeat,
    LegStarted,
    MessageEnded,
    RecordingEnded,
)
from journal.writer import Journal

log = structlog.get_logger()

# What is worth a line in the log; the whole story of a call is in its journal.
LOGGED = (CallStarted, MessageEnded, RecordingEnded, CallEnded)
# Who called, and where the caller's message goes: not for a log. A heartbeat's `call` is empty.
NOT_LOGGED = frozenset({"caller", "deliver", "missed"})

LEAST_FREE_BYTES = 10**9  # 17 hours of messages; the journal may lie on the same disk, and must never be full
LEAST_FREE_FOR_RECORDINGS = 2 * LEAST_FREE_BYTES  # the last of it is for messages: they exist nowhere else
LOOK_SECONDS = 1.0
# Entries are counted and logged a moment later: nothing that can wait delays the setup of a call.
TELL_SECONDS = 0.05


class NodeCallServices:
    """CallServices on the routing store, the journal and counters of calls.

    `recordings`: where Asterisk puts messages.
    """

    def __init__(
        self,
        node: str,
        routing_store: RoutingStore,
        journal: Journal,
        *,
        tally: "Tally",
        longest: timedelta,
        recordings: Path,
        counters: Counters,
        limits: CallLimits,
    ) -> None:
        self.node = node
        self._routing_store = routing_store
        self._journal = journal
        self._tally = tally
        self._longest = longest
        self._recordings = recordings
        self._counters = counters
        self._limits = limits
        self._untold: list[Entry] = []

    def terms(self, dialled: str) -> CallTerms | None:
        """The terms of a call that comes in now; None where the number is not ours."""
        return self._terms(dialled, self._routing_store.in_force)

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        """The terms of a call that began under this routing version, for its takeover.

        Where the version cannot be had, or the call's entry names none, they are those in force now.
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
        owner = routing.owner(number)
        return CallTerms(
            number,
            owner,
            lambda name: routing.prompt(name, owner.language),
            self._longest,
            routing.digest,
            routing.lists,
        )

    async def why_no_message(self) -> str | None:
        return await self._why_no_sound(LEAST_FREE_BYTES)

    async def why_no_recording(self) -> str | None:
        return await self._why_no_sound(LEAST_FREE_FOR_RECORDINGS)

    async def _why_no_sound(self, least: int) -> str | None:
        if self._journal.degraded:
            return "the journal cannot be written"
        return await why_no_room(self._recordings, least)

    def note(self, entry: Entry) -> Awaitable[None]:
        written = self._journal.note(entry)
        if isinstance(entry, CallEnded):
            self._limits.leave(entry.call)
        if not self._untold:  # in a context of its own: the next entry may be another call's
            asyncio.get_running_loop().call_later(TELL_SECONDS, self.tell, context=Context())
        self._untold.append(entry)
        return written

    def count(self, key: str) -> int:
        return self._counters.count(key)

    def enter(self, key: str, call: str, most: int) -> bool:
        return self._limits.enter(key, call, most)

    def tell(self) -> None:
        """Count and log what was noted and is not told yet. Whatever fails in that costs one entry's line."""
        untold, self._untold = self._untold, []
        for entry in untold:
            try:
                self._tally.see(entry)
                tell(entry)
            except Exception:
                log.exception("entry_not_counted", kind=kind_of(entry), call=entry.call)


async def why_no_room(recordings: Path, least: int = LEAST_FREE_BYTES) -> str | None:
    """Why this folder takes no message; None when it does. A disk that does not answer is not waited for."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            free = (await asyncio.to_thread(shutil.disk_usage, recordings)).free
    except (OSError, TimeoutError) as trouble:
        return f"asterisk.recordings, {recordings}, cannot be looked at: {type(trouble).__name__}"
    return (
        f"{free / 1e9:.1f} GB are free in {recordings}, {least / 1e9:g} are needed" if free < least else None
    )


@dataclass(slots=True)
class _Caller:
    """A live call, as far as its setup is measured: which instants have not come yet."""

    began: datetime
    awaits_leg: bool = True
    awaits_answer: bool = True


class Tally:
    """Calls in numbers: a reader of the journal's entries."""

    def __init__(self, metrics: EngineMetrics, unfinished: Mapping[str, Sequence[Entry]]) -> None:
        self._metrics = metrics
        self._calls: dict[str, _Caller] = {}
        metrics.calls_live.set_function(lambda: len(self._calls))
        for call, entries in unfinished.items():
            try:
                for entry in entries:
                    self.see(entry)
            except Exception:  # an engine that cannot count its calls takes them all the same
                log.exception("entry_not_counted", call=call)

    def see(self, entry: Entry) -> None:
        """Take in one more entry."""
        match entry:
            case CallStarted() if entry.call not in self._calls:
                self._calls[entry.call] = _Caller(entry.at)
            case LegStarted() if (caller := self._calls.get(entry.call)) and caller.awaits_leg:
                caller.awaits_leg = False
                self._observe_setup("dialled", caller, entry.at)
            case Answered() if (caller := self._calls.get(entry.call)) and caller.awaits_answer:
                caller.awaits_answer = False
                self._observe_setup("answered", caller, entry.at)
            case CallEnded() if self._calls.pop(entry.call, None):
                self._metrics.calls.labels(entry.outcome).inc()

    def _observe_setup(self, until: str, caller: _Caller, at: datetime) -> None:
        self._metrics.setup_seconds.labels(until).observe((at - caller.began).total_seconds())


def tell(entry: Entry) -> None:
    """A line in the log, without the caller's number."""
    level = log.info if isinstance(entry, LOGGED) else log.debug
    if isinstance(entry, Heartbeat) or (level == log.debug and not log.is_enabled_for(logging.DEBUG)):
        return
    facts = to_builtins(entry)
    level(facts.pop("kind"), **{key: fact for key, fact in facts.items() if key not in NOT_LOGGED})
