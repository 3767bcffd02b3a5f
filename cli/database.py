"""Which database and settings a command uses, and database errors as one sentence."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import click

from cli.options import settings_in
from storage.migrate import MigrationChanged


def url_of(database: str | None, settings: Path | None = None, state: Path | None = None) -> str:
    """The PostgreSQL URL: as given, else that of the `callengine dev` in `state`, else that of the settings.

    Raises ClickException.
    """
    if database:
        return database
    if state:
        return url_in(state)
    return settings_in(settings).database.get_secret_value()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection while the block runs."""
    con = await asyncpg.connect(url, timeout=10)
    try:
        yield con
    finally:
        await con.close(timeout=5)


def url_in(state: Path) -> str:
    """The database of the `callengine dev` with this state folder. Raises ClickException."""
    file = state / "endpoints.json"
    try:
        return str(json.loads(file.read_text("utf-8"))["database"])
    except FileNotFoundError:
        raise click.ClickException(
            f"{file} is not there: is `callengine dev --state {state}` ready?"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"{file} does not name a database: {error!r}") from None


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn errors of the database into a ClickException with the remedy and without the password."""
    try:
        yield
    except asyncpg.UndefinedTableError:
        raise click.ClickException(
            "the database has no tables of callengine: run `callengine migrate`"
        ) from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise click.ClickException(
            f"this database role may not do that ({error}): `callengine migrate` needs the schema's owner, "
            "`callengine calls` at least the reader, all other commands the worker"
        ) from None
    except MigrationChanged as error:
        raise click.ClickException(str(error)) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has ended: not a database error
            raise
        text = str(error) or type(error).__name__
        raise click.ClickException(f"the database cannot be used: {text}") from None
