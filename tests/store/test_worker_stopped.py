"""A worker that is told to stop while it sends a mail: the mail is not put off, and no operator is woken."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from devkit.children import free_port
from devkit.seaweed import Seaweed
from storage.keyring import FIND
from tests.lateness import PATIENCE
from tests.store.nights import SAID, Night
from tests.store.smtp import mail_server
from tests.store.test_objects import s3_of
from tests.store.worker_process import until, working

TRIED = "SELECT count(*) = $1 FROM outbox WHERE attempts > 0"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = $1"


@pytest.fixture
async def night(tmp_path: Path, database: str, s3: Seaweed, bucket: str) -> AsyncIterator[Night]:
    con = await asyncpg.connect(database)
    async with mail_server() as post:
        state = tmp_path / "state"
        found = Night(state, con, database, post, s3_of(s3, bucket))
        await found.begin()
        found.told |= {
            "CALLENGINE_OBJECTS__BUCKET": bucket,
            "CALLENGINE_OBJECTS__ENDPOINT": s3.endpoint,
            "CALLENGINE_OBJECTS__ACCESS_KEY": s3.access_key,
            "CALLENGINE_OBJECTS__SECRET_KEY": s3.secret_key,
        }
        yield found
    await con.close()


async def test_told_to_stop_before_it_has_read_the_sound_it_still_sends_the_mail(night: Night) -> None:
    before, log = night.state / "before", night.state / "log"
    with working(night.told | {"CALLENGINE_MAIL__PORT": str(free_port())}, before):
        await until(partial(is_so, night, TRIED, len(SAID) + 1), "all is sealed, and no mail could be sent")
    await night.con.execute("UPDATE outbox SET next_at = now(), lease_until = NULL, leased_by = NULL")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(locked(night.database, "keys.audio_key"))
        with working(night.told, log) as worker:
            await until(partial(is_so, night, WAITING, FIND), "a sound is about to be read")
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGTERM)
            await asyncio.sleep(0.3)  # within the second that a worker has to finish what it began
            await stack.aclose()
            await asyncio.to_thread(worker.join, PATIENCE)
    assert worker.exitcode == 0
    assert "worker_stopped" in log.read_text()
    assert "mail_deferred" not in log.read_text()


@asynccontextmanager
async def locked(database: str, table: str) -> AsyncIterator[None]:
    """Whoever reads this table waits until the end of the block."""
    con = await asyncpg.connect(database)
    async with con.transaction():
        await con.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    await con.close()


async def is_so(night: Night, question: str, about: int | str) -> bool:
    return bool(await night.con.fetchval(question, about))
