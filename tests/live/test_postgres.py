"""The embedded PostgreSQL: keeps what was committed, lets nobody in without the password, leaves with us."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from devkit import postgres
from devkit.children import alive, wait_dead
from devkit.postgres import Running, start_postgres

# Starts a server, says its process id, and waits to be killed.
STARTER = """
import asyncio, sys
from pathlib import Path
from devkit.postgres import start_postgres
running = asyncio.run(start_postgres(Path(sys.argv[1]), Path(sys.argv[2]), durable=False))
print(running.pid, flush=True)
sys.stdin.read()
"""


async def write(running: Running, statement: str) -> None:
    connection = await asyncpg.connect(running.url)
    await connection.execute(statement)
    await connection.close()


async def test_committed_rows_survive_a_kill_and_a_restart_in_the_same_place(tmp_path: Path) -> None:
    first = await start_postgres(tmp_path / "pg", tmp_path / "log")
    await write(first, "CREATE TABLE kept AS SELECT 7 AS n")
    first.process.kill()
    first.process.wait()
    second = await start_postgres(tmp_path / "pg", tmp_path / "log", port=first.port)
    connection = await asyncpg.connect(first.url)
    assert await connection.fetchval("SELECT n FROM kept") == 7
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()
    second.stop()
    assert not alive(second.pid)


async def test_nobody_comes_in_without_the_password(tmp_path: Path) -> None:
    running = await start_postgres(tmp_path / "pg", tmp_path / "log", durable=False)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(running.url, password="guessed")
    running.stop()


def test_the_server_leaves_with_whoever_started_it(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "pg"), str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert alive(pid)
    starter.kill()
    starter.communicate()
    assert wait_dead([pid], 5) == []


async def test_a_cluster_that_cannot_be_made_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "USER", "pg_reserved")
    with pytest.raises(postgres.PostgresError, match=r"initdb failed; .*log ends with"):
        await start_postgres(tmp_path / "pg", tmp_path / "log")
    assert not (tmp_path / "pg" / "data").exists()
