"""Calls that were set aside: counted, and tried again, since a newer program may read them."""

import json
import time

import asyncpg
import structlog

from journal.follower import EndedCall
from journal.reader import Unreadable, entry_of
from storage.calls import REFUSED
from storage.drained import aside, count_aside, no_longer_aside
from worker.drainer import keep_all, revised
from worker.metrics import WorkerMetrics

AGAIN_SECONDS = 3600.0
log = structlog.get_logger()


class Aside:
    """`look` is a piece of work (worker.job.Chore)."""

    def __init__(self, node: str, metrics: WorkerMetrics) -> None:
        self._node = node
        self._metrics = metrics
        self._tried: float | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Count them; at the start, and once an hour, try them again. Whether a call has come in by that."""
        kept = 0
        if self._tried is None or time.monotonic() - self._tried > AGAIN_SECONDS:
            self._tried = time.monotonic()
            kept = await try_again(con, self._node)
        self._metrics.calls_set_aside.set(await count_aside(con))
        return kept > 0


async def try_again(con: asyncpg.Connection, node: str) -> int:
    """Make records of what can be read by now; how many."""
    kept = 0
    for call_id, rev, entries in await aside(con, node):
        call = ended_call(call_id, rev, entries)
        if call.unreadable:
            continue
        try:
            async with con.transaction():
                await keep_all(con, [revised(call)])
                await no_longer_aside(con, call_id, rev)
        except (*REFUSED, ValueError):
            continue
        kept += 1
        log.info("call_no_longer_set_aside", call=call_id)
    return kept


def ended_call(call_id: str, rev: int, entries: str) -> EndedCall:
    """The call as it was set aside, as a next revision: it may have a record, which lacks something."""
    payloads = [json.dumps(entry, separators=(",", ":")).encode("ascii") for entry in json.loads(entries)]
    read = [entry for entry in map(entry_of, payloads) if not isinstance(entry, Unreadable)]
    return EndedCall(call_id, rev + 1, read, payloads)
