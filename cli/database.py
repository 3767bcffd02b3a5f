"""Which database a command means, and its troubles told in one sentence."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import click

from config.settings import Settings, SettingsError, load_settings
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


def settings_in(file: Path | None) -> Settings:
    """Raises ClickException."""
    try:
        return load_settings(file)
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for as long as a command needs it."""
    con = await asyncpg.connect(url, timeout=10)
    try:
        yield con
    finally:
        await con.close(timeout=5)


def url_in(state: Path) -> str:
    file = state / "endpoints.json"
    try:
        return str(json.loads(file.read_text("utf-8"))["database"])
    except FileNotFoundError:
        raise click.ClickException(
            f"{file} is not there: is `callengine dev --state {state}` ready?"
        ) from None
    except (OSError, ValueError, KeyError) as wrong:
        raise click.ClickException(f"{file} names no database: {wrong!r}") from None


@contextmanager
def told_plainly() -> Iterator[None]:
    """What may go wrong with a database, as a ClickException with its remedy and without its password."""
    try:
        yield
    except asyncpg.UndefinedTableError:
        raise click.ClickException(
            "the database has no call records: callengine migrate makes them"
        ) from None
    except asyncpg.InsufficientPrivilegeError as wrong:
        raise click.ClickException(
            f"this database role may not do that ({wrong}): `callengine migrate` needs the schema's owner, "
            "`callengine calls` at least the reader, everything else the worker"
        ) from None
    except MigrationChanged as wrong:
        raise click.ClickException(str(wrong)) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as wrong:
        if isinstance(
            wrong, BrokenPipeError
        ):  # the reader of our output went away: not the database's trouble
            raise
        said = str(wrong) or type(wrong).__name__
        raise click.ClickException(f"the database cannot be used: {said}") from None
