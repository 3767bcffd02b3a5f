"""The drainer: from the journal into PostgreSQL, by revisioned upsert; ten times over changes nothing.

The position in the journal is written in the transaction of the rows, and read back at every connection: so
a worker that was killed, a commit whose answer was lost and a database that failed over to yesterday are
one case.
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
from storage.calls import REFUSED, Revised, keep
from storage.journal_position import mark, position
from storage.migrate import SchemaBehind, bring_up_to_date
from storage.nodes import KEEPALIVES, hold, place_of

POLL_SECONDS = 0.1
SWEEP_SECONDS = 60
LONGEST_PAUSE_SECONDS = 5.0
# InternalClientError: "another operation is in progress", on a connection that the server is just closing. It
# is no PostgresError, and ended the worker when PostgreSQL was stopped under calls (measured).
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# asyncpg's own cancelling may hang for a minute on a dead network; a command's timeout does not (2 s for 1).
COMMAND_SECONDS = 5
log = structlog.get_logger()


class Drainer:
    """Drains one node's journal; its segments are deleted when drained and last written `kept` ago.

    `tell` is called whenever calls have become rows. `connected`: to the database. `has_node`: set once the
    node's name is known to be this journal's. `drained`: all of the journal before it is in the database.
    `damaged`: the places of the journal that could not be read. `behind`: why the database's schema is not to
    be worked with, if it is not.
    """

    def __init__(
        self,
        journal: Path,
        node: str,
        database: str,
        kept: timedelta,
        tell: Callable[[], None] = lambda: None,
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
        self._tell = tell
        self._follower: Follower | None = None
        self._swept = 0.0
        self._connection: asyncpg.Connection | None = None
        self._stopping = asyncio.Event()

    @property
    def backlog(self) -> int:
        """Bytes of the journal that are not in the database yet."""
        return backlog(self._journal, self.drained)

    @property
    def open_calls(self) -> frozenset[str] | None:
        """The calls that have begun and not ended; None while some of the journal has not been read."""
        if self._follower is None or not self.connected or self.backlog:
            return None
        return self._follower.open_calls

    def stop(self) -> None:
        """Let `run` end at once: what is in hand is not committed, and drained again by the next."""
        self._stopping.set()
        if self._connection is not None:
            self._connection.terminate()

    async def run(self) -> None:
        """Drain until stopped. While the database is away, try again after 0.2 s to 5 s. Raises NodeTaken."""
        pause = 0.2
        while not self._stopping.is_set():
            try:
                async with self._connect() as con:
                    pause = 0.2
                    await self._drain(con)
            except AWAY as error:
                if not self._stopping.is_set():
                    log.warning("database away", error=type(error).__name__, retry_seconds=pause)
                    await self._rest(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
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
                log.info("migrated", migration=name)
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
            if con.is_closed():  # noticed with nothing to drain, so that /ready tells the truth
                raise ConnectionResetError
            ended = follower.read()
            self.damaged |= follower.damaged
            if ended or follower.position.segment != marked:
                await self._keep(con, ended, follower.position)
                marked = follower.position.segment
                self._tell()
            self.drained = max(self.drained, follower.position)
            self._sweep(Position(marked))
            # With no rest under load each call had a transaction of its own.
            await self._rest(0 if follower.has_more else POLL_SECONDS)

    async def _where(self, con: asyncpg.Connection) -> Position:
        """How far this very journal has come. To begin anew is right for any: twice changes nothing."""
        while (found := identity(self._journal)) is None and not self._stopping.is_set():
            if con.is_closed():
                raise ConnectionResetError
            await self._rest(POLL_SECONDS)  # no engine has begun one yet
        self._id = found or ""
        reached, head = await position(con, self._node, self._id)
        if has(self._journal, reached, head):
            return reached
        log.warning("journal_drained_anew", node=self._node, segment=reached.segment, offset=reached.offset)
        return Position()

    async def _keep(self, con: asyncpg.Connection, ended: list[EndedCall], reached: Position) -> None:
        try:
            await self._commit(con, ended, reached)
        except (*REFUSED, ValueError):
            # One of them is no record. The others are kept one by one, and that one becomes a dead letter.
            for call in ended:
                await self._keep_or_bury(con, call)
            point("drain.before_late_mark")
            await self._mark(con, reached)

    async def _commit(self, con: asyncpg.Connection, ended: list[EndedCall], reached: Position) -> None:
        point("drain.before_transaction")
        async with con.transaction():
            await keep_all(con, [revised(call) for call in ended])
            for call in ended:
                if call.unreadable:
                    await self._bury(con, call, f"{call.unreadable} entries cannot be read")
            point("drain.before_mark")
            await self._mark(con, reached)
            point("drain.before_commit")
        point("drain.after_commit")

    async def _keep_or_bury(self, con: asyncpg.Connection, call: EndedCall) -> None:
        try:
            point("drain.before_one")
            async with con.transaction():
                await keep_all(con, [revised(call)])
            point("drain.after_one")
        except (*REFUSED, ValueError) as error:
            point("drain.before_dead_letter")
            await self._bury(con, call, repr(error))
            log.critical("call_dead_lettered", call=call.call_id, error=type(error).__name__)
        else:
            if call.unreadable:
                await self._bury(con, call, f"{call.unreadable} entries cannot be read")

    async def _bury(self, con: asyncpg.Connection, call: EndedCall, why: str) -> None:
        await dead_letters.add(con, self._node, call.call_id, rev=call.rev, payloads=call.payloads, why=why)

    async def _mark(self, con: asyncpg.Connection, reached: Position) -> None:
        await mark(con, self._node, self._id, reached, head_of(self._journal, reached.segment))

    def _sweep(self, drained: Position) -> None:
        now = time.time()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            for name in sweep(self._journal, drained, now - self._kept.total_seconds()):
                log.info("journal segment swept", segment=name)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def keep_all(con: asyncpg.Connection, calls: list[Revised]) -> None:
    """Records, sounds and messages in one transaction: none of them is ever without the others."""
    await keep(con, calls)
    point("drain.before_messages")
    await messages.keep(con, calls)
    point("drain.before_recordings")
    await recordings.keep(con, calls)


def revised(call: EndedCall) -> Revised:
    """Raises ValueError when the entries are not those of a call from its beginning to its end."""
    state = fold(call.entries)
    if state.ending is None:
        raise ValueError("a call without end")
    return Revised(records.call_record(state), call.rev, records.messages(state), records.recordings(state))
