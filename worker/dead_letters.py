"""The worker's job for dead letters: count them, and retry them, since a newer version may read them."""

import json
import time

import asyncpg
import structlog

from journal.fault import point
from journal.follower import EndedCall
from journal.reader import Unreadable, entry_of
from storage import dead_letters
from storage.calls import is_of_a_call
from storage.dead_letters import DeadLetter
from worker.drainer import revised, store_all
from worker.metrics import WorkerMetrics

RETRY_SECONDS = 3600.0
log = structlog.get_logger()


class DeadLetters:
    """`look` does one piece of work of a worker.job.Job."""

    def __init__(self, node: str, metrics: WorkerMetrics) -> None:
        self._node = node
        self._metrics = metrics
        self._tried: float | None = None

    async def look(self, con: asyncpg.Connection) -> bool:
        """Count them; at the start, and once an hour, retry them. True when one became a call record."""
        stored = 0
        if self._tried is None or time.monotonic() - self._tried > RETRY_SECONDS:
            self._tried = time.monotonic()
            stored = await try_again(con, self._node)
        self._metrics.dead_letters.set(await dead_letters.count(con))
        return stored > 0


async def try_again(con: asyncpg.Connection, node: str) -> int:
    """Make call records of the dead letters that can be read now; return how many."""
    stored = 0
    for letter in await dead_letters.of_node(con, node):
        call = ended_call(letter)
        if call.unreadable:
            continue
        try:
            point("letters.before_transaction")
            async with con.transaction():
                await store_all(con, [revised(call)])
                await dead_letters.remove(con, letter)
                point("letters.before_commit")
            point("letters.after_commit")
        except Exception as error:
            if not is_of_a_call(error):
                raise
            continue
        stored += 1
        log.info("dead_letter_stored", call=letter.call_id)
    return stored


def ended_call(letter: DeadLetter) -> EndedCall:
    """The call of a dead letter, as its next revision, because it may have an incomplete record."""
    payloads = [
        json.dumps(entry, separators=(",", ":")).encode("ascii") for entry in json.loads(letter.entries)
    ]
    entries = [entry for entry in map(entry_of, payloads) if not isinstance(entry, Unreadable)]
    return EndedCall(letter.call_id, letter.rev + 1, entries, payloads)
