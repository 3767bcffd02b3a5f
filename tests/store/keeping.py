"""A node that stores audio, in this process: its spool, its encrypted store, and its rows."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from journal.entries import Entry
from storage import messages, recordings
from storage.calls import store as store_calls
from storage.destruction import Destroyer
from storage.encrypted_store import EncryptedStore
from storage.key_wrapper import KeyWrapper, new_master_key
from storage.objects import Objects
from storage.objects.directory import Directory
from storage.rotation import Rotation
from storage.same_folder import MARK
from storage.sealing import Sealer, SealResult
from storage.spool import Spool
from storage.sweeping import Sweeper
from tests.store.calls import revised

DUE_NOW = "UPDATE audio SET next_at = now(), lease_until = NULL"


@dataclass
class House:
    """Everything of one node that keeps sounds."""

    con: asyncpg.Connection
    folder: Path
    node: str = "here"
    objects: Objects | None = None
    key_wrapper: KeyWrapper = field(default_factory=lambda: KeyWrapper(new_master_key()))

    def __post_init__(self) -> None:
        self.spool = Spool(self.folder / "spool")
        self.spool.folder.mkdir(exist_ok=True)
        self.store = self.objects or Directory(self.folder / "objects")
        self.encrypted_store = EncryptedStore(self.store, self.key_wrapper)
        self.sealer = Sealer(self.node, self.spool, self.encrypted_store)
        self.destroyer = Destroyer(self.node, self.spool, self.store)
        self.sweeper = Sweeper(self.node, self.spool)

    async def drain(self, *calls: Sequence[Entry], rev: int = 1) -> None:
        """Write these ended calls, as the drainer does; the first one is revision `rev`."""
        told = [revised(list(entries), nth) for nth, entries in enumerate(calls, start=rev)]
        async with self.con.transaction():
            await store_calls(self.con, told)
            await messages.store(self.con, told)
            await recordings.store(self.con, told)

    async def seal(self) -> list[SealResult]:
        """Seal all that is due; return the results."""
        results = []
        while (result := await self.sealer.seal_next(self.con)) is not None:
            results.append(result)
            assert len(results) < 1000
        return results

    async def destroy(self) -> int:
        """Destroy all that is due; how many were tried."""
        tried = 0
        while await self.destroyer.destroy_next(self.con):
            tried += 1
            assert tried < 1000
        return tried

    async def rotate(self, every: timedelta = timedelta()) -> int:
        """Let the epochs end in which keys were destroyed; in how many steps."""
        rotation, steps = Rotation(self.key_wrapper, every), 0
        while await rotation.step(self.con):
            steps += 1
            assert steps < 1000
        return steps

    async def destroy_now(self, *audio_ids: str) -> None:
        """Let the time of these be over, and destroy them."""
        over = "UPDATE audio SET destroy_after = now(), reason = 'deadline' WHERE audio_id = ANY($1)"
        await self.con.execute(over, audio_ids)
        await self.destroy()

    async def retry(self) -> None:
        """As if every pause and lease had run out."""
        await self.con.execute(DUE_NOW)

    async def accept(self, message_id: str) -> None:
        """As if every recipient's server had taken the mail, for good."""
        await self.con.execute("UPDATE message SET state = 'accepted' WHERE message_id = $1", message_id)
        doomed = "UPDATE audio SET destroy_after = now(), reason = 'delivered' WHERE audio_id = $1"
        await self.con.execute(doomed, message_id)

    async def state(self, audio_id: str) -> str:
        """Of the sound."""
        return str(await self.con.fetchval("SELECT state FROM audio WHERE audio_id = $1", audio_id))

    async def message(self, message_id: str) -> str:
        """Of the message, with why."""
        row = await self.con.fetchrow("SELECT state, why FROM message WHERE message_id = $1", message_id)
        assert row is not None
        return f"{row['state']} {row['why']}" if row["why"] else str(row["state"])

    async def outbox(self) -> list[tuple[str, str]]:
        rows = await self.con.fetch("SELECT message_id, recipient FROM outbox ORDER BY 1, 2")
        return [(row["message_id"], row["recipient"]) for row in rows]

    async def names(self) -> list[str]:
        return sorted([stored.name async for stored in self.store.all()])

    def spooled(self) -> list[str]:
        return sorted(file.stem for file in self.spool.folder.iterdir() if file.name != MARK)

    async def tamper(self, change: str) -> None:
        """Change the database as somebody who may switch its triggers off."""
        await self.con.execute(f"SET session_replication_role = replica; {change}; RESET ALL")

    async def dump(self) -> str:
        """Everything the database holds, as text."""
        return await dump(self.con)


async def dump(con: asyncpg.Connection) -> str:
    """Everything its database holds, as text."""
    tables = await con.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'keys')"
    )
    told: dict[str, Any] = {}
    for table in tables:
        rows = await con.fetch(f"SELECT t::text AS row FROM {table['name']} AS t")  # noqa: S608
        told[table["name"]] = [row["row"] for row in rows]
    return json.dumps(told)


@asynccontextmanager
async def house_of(database: str, folder: Path, **more: Any) -> AsyncIterator[House]:
    con = await asyncpg.connect(database)
    try:
        yield House(con, folder, **more)
    finally:
        await con.close()
