"""The drainer: from the journal into PostgreSQL, by revisioned upsert; draining twice changes nothing.

The position in the journal is stored in the transaction of the rows, and read at every connection. So a
killed worker, a commit whose reply was lost and a database that failed over to an older state are one case.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from journal.fault import point
from journal.follower import EndedCall, Follower, backlog, has, head_of, sweep
from journal.identity import identity
from journal.position import Position
from journal.state import fold
from storage import dead_letters, messages, recordings, records
from storage.away import DATABASE_ERRORS, LONGEST_PAUSE_SECONDS, Backoff
from storage.calls import Revised, is_of_a_call, store
from storage.journal_position import mark, position
from storage.migrate import SchemaBehind, bring_up_to_date
from storage.nodes import KEEPALIVES, hold, place_of

POLL_SECONDS = 0.1
SWEEP_SECONDS = 60
# On a dead network asyncpg may hang for a minute when a task is cancelled, but not on a command's own timeout
# (2 s for a timeout of 1).
COMMAND_SECONDS = 5
log = structlog.get_logger()


class Drainer:
    """Drains one node's journal; deletes its segments once they are drained and last written `kept` ago.

    `on_stored` is called after calls have become rows. `connected`: to the database. `has_node`: set once
    the node's name is known to belong to this journal. `drained`: the journal before it is in the database.
    `damaged`: the positions in the journal that could not be read. `behind`: why the database's schema
    cannot be used, if it cannot.
    """

    def __init__(
        self,
        journal: Path,
        node: str,
        database: str,
        kept: timedelta,
        on_stored: Callable[[], None] = lambda: None,
    ) -> None:
        self.connected = False
        self.has_node = asyncio.Event()
        self.drained = Position()
        self.damaged: set[Position] = set()
        self.behind = ""
        self._journal = journal
        self._id = ""
        self._node = node
        self._database = database
        self._kept = kept
        self._on_stored = on_stored
        self._follower: Follower | None = None
        self._swept = 0.0
        self._connection: asyncpg.Connection | None = None
        self._stopping = asyncio.Event()

    @property
    def backlog(self) -> int:
        """How many bytes of the journal are not in the database yet."""
        return backlog(self._journal, self.drained)

    @property
    def open_calls(self) -> frozenset[str] | None:
        """The calls that have begun and not ended; None while part of the journal has not been read."""
        if self._follower is None or not self.connected or self.backlog:
            return None
        return self._follower.open_calls

    def stop(self) -> None:
        """Let `run` end at once. Rows that are not committed yet are drained again by the next worker."""
        self._stopping.set()
        if self._connection is not None:
            self._connection.terminate()

    async def run(self) -> None:
        """Drain until stopped. While the database is away, retry after 0.2 s to 5 s. Raises NodeTaken."""
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                async with self._connect() as con:
                    backoff.reset()
                    await self._drain(con)
            except DATABASE_ERRORS as error:
                if not self._stopping.is_set():
                    pause = backoff.next()
                    log.warning("database_connection_failed", error=type(error).__name__, retry_seconds=pause)
                    await self._rest(pause)
            except SchemaBehind as behind:
                if not self.behind:
                    log.critical("schema_behind", error=str(behind))
                self.behind = str(behind)
                await self._rest(LONGEST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[asyncpg.Connection]:
        con = await asyncpg.connect(
            self._database, timeout=5, command_timeout=COMMAND_SECONDS, server_settings=KEEPALIVES
        )
        self._connection = con
        try:
            for name in await bring_up_to_date(con):
                log.info("migration_applied", migration=name)
            await hold(con, self._node, place_of(self._journal))
            self.has_node.set()
            self.connected, self.behind = True, ""
            yield con
        finally:
            self.connected = False
            self._connection = None
            con.terminate()

    async def _drain(self, con: asyncpg.Connection) -> None:
        self.drained = await self._where(con)
        self._follower = follower = Follower(self._journal, self.drained)
        marked = self.drained.segment
        while not self._stopping.is_set():
            if con.is_closed():  # noticed while there is nothing to drain, so that /ready is right
                raise ConnectionResetError
            ended = follower.read()
            self.damaged |= follower.damaged
            if ended or follower.position.segment != marked:
                await self._store(con, ended, follower.position)
                marked = follower.position.segment
                self._on_stored()
            self.drained = max(self.drained, follower.position)
            self._sweep(Position(marked))
            # Without this pause each call would have its own transaction under load.
            await self._rest(0 if follower.has_more else POLL_SECONDS)

    async def _where(self, con: asyncpg.Connection) -> Position:
        """How far this journal is stored. Position() is always right too: draining twice changes nothing."""
        while (journal_id := identity(self._journal)) is None and not self._stopping.is_set():
            if con.is_closed():
                raise ConnectionResetError
            await self._rest(POLL_SECONDS)  # no engine has begun a journal yet
        self._id = journal_id or ""
        reached, head = await position(con, self._node, self._id)
        if has(self._journal, reached, head):
            return reached
        log.warning("journal_drained_anew", node=self._node, segment=reached.segment, offset=reached.offset)
        return Position()

    async def _store(self, con: asyncpg.Connection, ended: list[EndedCall], reached: Position) -> None:
        try:
            await self._commit(con, ended, reached)
        except Exception as error:
            if not is_of_a_call(error):
                raise
            # One of them cannot be a record. It becomes a dead letter, the others are stored one by one.
            for call in ended:
                await self._store_one(con, call)
            point("drain.before_late_mark")
            await self._mark(con, reached)

    async def _commit(self, con: asyncpg.Connection, ended: list[EndedCall], reached: Position) -> None:
        point("drain.before_transaction")
        async with con.transaction():
            await store_all(con, [revised(call) for call in ended])
            for call in ended:
                if call.unreadable:
                    await self._dead_letter(con, call, f"{call.unreadable} entries cannot be read")
            point("drain.before_mark")
            await self._mark(con, reached)
            point("drain.before_commit")
        point("drain.after_commit")

    async def _store_one(self, con: asyncpg.Connection, call: EndedCall) -> None:
        try:
            point("drain.before_one")
            async with con.transaction():
                await store_all(con, [revised(call)])
            point("drain.after_one")
        except Exception as error:
            if not is_of_a_call(error):
                raise
            point("drain.before_dead_letter")
            await self._dead_letter(con, call, repr(error))
            log.critical("call_dead_lettered", call=call.call_id, error=type(error).__name__)
        else:
            if call.unreadable:
                await self._dead_letter(con, call, f"{call.unreadable} entries cannot be read")

    async def _dead_letter(self, con: asyncpg.Connection, call: EndedCall, why: str) -> None:
        await dead_letters.add(con, self._node, call.call_id, rev=call.rev, payloads=call.payloads, why=why)

    async def _mark(self, con: asyncpg.Connection, reached: Position) -> None:
        await mark(con, self._node, self._id, reached, head_of(self._journal, reached.segment))

    def _sweep(self, drained: Position) -> None:
        now = time.time()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            for name in sweep(self._journal, drained, now - self._kept.total_seconds()):
                log.info("journal_segment_swept", segment=name)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def store_all(con: asyncpg.Connection, calls: list[Revised]) -> None:
    """Store records, recordings and messages of these calls, all of them in the caller's transaction."""
    await store(con, calls)
    point("drain.before_messages")
    await messages.store(con, calls)
    point("drain.before_recordings")
    await recordings.store(con, calls)


def revised(call: EndedCall) -> Revised:
    """Raises ValueError when the entries are not those of a whole call, from its start to its end."""
    state = fold(call.entries)
    if state.ending is None:
        raise ValueError("a call without an end")
    return Revised(records.call_record(state), call.rev, records.messages(state), records.recordings(state))
