"""Sweeping the spool: what a crash has left there goes, and what nobody knows is not kept for ever."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from journal.fault import point
from journal.ids import AUDIO_ID
from storage.spool import Spool, Spooled

# A file whose call is in no record by then has no call. The longest call lasts 12 h.
ORPHANED = timedelta(hours=24)
SETTLED = {"stored", "shredded", "destroyed"}  # the object has the sound, or nobody may have it
log = structlog.get_logger()

STATES = "SELECT audio_id, state FROM audio WHERE audio_id = ANY($1)"
# Calls that became no record: a person is to look at them first.
DEAD_LETTERS = "SELECT call_id FROM dead_letter WHERE call_id = ANY($1)"

# A row first, as for everything: destruction then takes its ordinary way, and leaves a tombstone.
ADOPT = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, why, began, destroy_after, reason)
VALUES ($1, $2, $3, '', $4, 'absent', 'orphan', $5, now(), 'orphan')
ON CONFLICT (audio_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Looks after the spool of this node."""

    node: str
    spool: Spool

    async def sweep(self, con: asyncpg.Connection, open_calls: Container[str] | None) -> None:
        """Remove the files of sounds that are stored or destroyed; give orphans over to destruction.

        `open_calls`: the calls in the journal that have not ended; None while the journal is not drained,
        when nothing can be called an orphan. Raises SpoolAway, OSError, asyncpg's errors.
        """
        files = await asyncio.to_thread(self.spool.sounds)
        rows = await con.fetch(STATES, [file.audio_id for file in files])
        states: dict[str, str] = {row["audio_id"]: row["state"] for row in rows}
        for file in files:
            if states.get(file.audio_id) in SETTLED:
                log.info("spool file swept", audio=file.audio_id)
                await asyncio.to_thread(self.spool.remove, file.audio_id)
        if open_calls is not None:
            lone = [file for file in files if file.audio_id not in states and is_old(file)]
            await self._adopt(con, [file for file in lone if file.call_id not in open_calls])

    async def _adopt(self, con: asyncpg.Connection, lone: list[Spooled]) -> None:
        unread = {row["call_id"] for row in await con.fetch(DEAD_LETTERS, [file.call_id for file in lone])}
        for file in lone:
            if file.call_id not in unread:
                log.warning("sound without a call", audio=file.audio_id)
                kind = kind_of(file.audio_id)
                point("sweep.before_adopt")
                await con.execute(ADOPT, file.audio_id, kind, file.call_id, self.node, file.written)
                point("sweep.after_adopt")


def is_old(file: Spooled) -> bool:
    return datetime.now(UTC) - file.written > ORPHANED


def kind_of(audio_id: str) -> str:
    """message or recording, by its id."""
    named = AUDIO_ID.fullmatch(audio_id)
    return "recording" if named and named["kind"] == "rec" else "message"
