"""What every call shares, without routing store and journal on disk."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

from engine.call import CallTerms
from engine.call_limits import CallLimits
from journal.entries import CallEnded, Entry


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
    limits: CallLimits = field(default_factory=lambda: CallLimits({}))

    def terms(self, dialled: str) -> CallTerms | None:
        return self.call_terms

    async def terms_under(self, dialled: str, digest: str) -> CallTerms | None:
        return self.call_terms

    async def why_no_message(self) -> str | None:
        return self.full

    async def why_no_recording(self) -> str | None:
        return self.full

    def note(self, entry: Entry) -> Awaitable[None]:
        self.entries.append(entry)
        if isinstance(entry, CallEnded):
            self.limits.leave(entry.call)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def count(self, key: str) -> int:
        self.counts[key] += 1
        return self.counts[key] - 1

    def enter(self, key: str, call: str, most: int) -> bool:
        return self.limits.enter(key, call, most)

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
