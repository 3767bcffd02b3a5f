"""Sweeping the spool: delete what a crash has left there; keep no file for ever that belongs to no call."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from journal.fault import point
from journal.ids import AUDIO_ID
from storage import audio_states
from storage.audio_states import AudioState
from storage.spool import Spool, Spooled

# A file whose call has no record by then belongs to no call. The longest call lasts 12 h.
ORPHANED = timedelta(hours=24)
# The object store has the audio, or nobody may have it any more.
SETTLED = {AudioState.STORED, AudioState.SHREDDED, AudioState.DESTROYED}
log = structlog.get_logger()

# Calls that became no record: an operator has to look at them first.
DEAD_LETTERS = "SELECT call_id FROM dead_letter WHERE call_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Sweeps the spool of this node."""

    node: str
    spool: Spool

    async def sweep(self, con: asyncpg.Connection, open_calls: Container[str] | None) -> None:
        """Remove the files of audio that is stored or destroyed; have orphans destroyed.

        `open_calls`: the calls in the journal that have not ended; None while the journal is not drained,
        when no file can be called an orphan. Raises SpoolAway, OSError, asyncpg's errors.
        """
        files = await asyncio.to_thread(self.spool.sounds)
        states = await audio_states.states_of(con, [file.audio_id for file in files])
        for file in files:
            if states.get(file.audio_id) in SETTLED:
                log.info("spool_file_swept", audio=file.audio_id)
                await asyncio.to_thread(self.spool.remove, file.audio_id)
        if open_calls is not None:
            unknown = [file for file in files if file.audio_id not in states and is_old(file)]
            await self._adopt(con, [file for file in unknown if file.call_id not in open_calls])

    async def _adopt(self, con: asyncpg.Connection, files: list[Spooled]) -> None:
        """Insert a row for each orphan: destruction then does the rest, and writes a tombstone."""
        rows = await con.fetch(DEAD_LETTERS, [file.call_id for file in files])
        dead_letters = {row["call_id"] for row in rows}
        for file in files:
            if file.call_id not in dead_letters:
                log.warning("audio_orphaned", audio=file.audio_id)
                point("sweep.before_adopt")
                await audio_states.add_orphan(
                    con,
                    file.audio_id,
                    kind=kind_of(file.audio_id),
                    call_id=file.call_id,
                    node=self.node,
                    written=file.written,
                )
                point("sweep.after_adopt")


def is_old(file: Spooled) -> bool:
    return datetime.now(UTC) - file.written > ORPHANED


def kind_of(audio_id: str) -> str:
    """`message` or `recording`, by its id."""
    parts = AUDIO_ID.fullmatch(audio_id)
    return "recording" if parts and parts["kind"] == "rec" else "message"
