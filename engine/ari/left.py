"""What an earlier engine left to the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from journal.entries import Entry
from journal.state import CallState, fold

log = structlog.get_logger()

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # no sign of life of Asterisk is known


@dataclass(frozen=True, slots=True)
class Left:
    """`unfinished`: the journal's entries of each call that has not ended, by call id.

    `ended`: calls that ended recently, and when. `last_known`: the last instant of Asterisk's clock in the
    journal. `seen`: the file of engine.ari.seen.
    """

    unfinished: Mapping[str, Sequence[Entry]]
    ended: Mapping[str, datetime]
    last_known: datetime
    seen: Path

    def read(self) -> tuple[list[CallState], list[str]]:
        """Return the calls that have not ended, and the ids of those that this engine cannot read."""
        states, unreadable = [], []
        for call, entries in self.unfinished.items():
            try:
                states.append(fold(entries))
            except Exception:  # one unreadable call must not keep the others from being taken over
                log.exception("call_unreadable", call=call)
                unreadable.append(call)
        return states, unreadable
