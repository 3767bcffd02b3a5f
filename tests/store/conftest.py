"""A real PostgreSQL for the store tests: one server a test process, one migrated database a test."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import uvloop

from devkit.postgres import Running, maintenance, start_postgres
from devkit.seaweed import Seaweed, seaweed
from storage.migrate import migrate
from tests.store.portal import Street
from tests.store.two_owners import two_owners

numbers = count(1)
FOR_SUPERUSERS = "GRANT EXECUTE ON FUNCTION pg_switch_wal(), pg_ls_waldir() TO callengine_worker"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop of engine and worker: its pipes, sockets and processes fail in ways of their own."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Forgets everything when it dies (fsync off): tests that kill PostgreSQL start their own."""
    folder = tmp_path_factory.mktemp("postgres")
    running = asyncio.run(start_postgres(folder, folder / "log", durable=False))
    asyncio.run(prepare(running.url))
    yield running
    running.stop()


@pytest.fixture
def database(server: Running) -> Iterator[str]:
    """The URL of a database that has the schema and no rows: a copy of a template (11 ms)."""
    name = f"test_{next(numbers)}"
    asyncio.run(administer(server.url, f"CREATE DATABASE {name} TEMPLATE callengine STRATEGY file_copy"))
    yield server.url.removesuffix("callengine") + name
    asyncio.run(administer(server.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def bare_database(server: Running) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"test_{next(numbers)}"
    asyncio.run(administer(server.url, f"CREATE DATABASE {name} TEMPLATE template0"))
    yield server.url.removesuffix("callengine") + name
    asyncio.run(administer(server.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def passwords(server: Running) -> dict[str, str]:
    """The roles as docs/operating.md makes them: their names, and a password each."""
    told = {f"callengine_{role}": secrets.token_hex(8) for role in ("owner", "worker", "reader", "portal")}
    for role, password in told.items():
        asyncio.run(administer(server.url, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
    return told


@pytest.fixture
def roles(server: Running, passwords: dict[str, str]) -> Iterator[Mapping[str, str]]:
    """The URLs of a database that has the schema, by role: superuser, owner, worker, reader, portal."""
    name = f"test_{next(numbers)}"
    asyncio.run(administer(server.url, f"CREATE DATABASE {name} OWNER callengine_owner TEMPLATE template0"))
    urls = {"superuser": server.url.removesuffix("callengine") + name}
    for role, password in passwords.items():
        short = role.removeprefix("callengine_")
        urls[short] = f"postgresql://{role}:{password}@127.0.0.1:{server.port}/{name}"
    asyncio.run(prepare(urls["owner"]))
    asyncio.run(execute(urls["superuser"], FOR_SUPERUSERS))
    yield urls
    asyncio.run(administer(server.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """The portal of two owners. Tests that need others have a fixture of this name."""
    async with two_owners(roles, tmp_path) as found:
        yield found


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Running]:
    """A server, with a bare database, that a test may stop and start again."""
    running = asyncio.run(start_postgres(tmp_path / "postgres", tmp_path / "postgres.log"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A real object store, for all tests; each makes its own bucket."""
    # Deep, as where the user's name is long: the path of a socket has 107 bytes at most.
    folder = tmp_path_factory.mktemp("seaweed") / "a-long-name-of-a-folder" / "another-one-with-a-long-name"
    with seaweed(folder / "store", folder / "log") as store:
        yield store


@pytest.fixture
def bucket(s3: Seaweed) -> str:
    """The name of an empty bucket that keeps no versions."""
    return s3.make_bucket(f"bucket-{next(numbers)}")


async def prepare(url: str) -> None:
    con = await asyncpg.connect(url)
    await migrate(con)
    await con.close()


async def administer(url: str, command: str) -> None:
    await execute(maintenance(url), command)


async def execute(url: str, command: str) -> None:
    con = await asyncpg.connect(url)
    await con.execute(command)
    await con.close()
