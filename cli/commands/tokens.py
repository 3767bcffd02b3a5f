"""callengine tokens: create, list and revoke tokens of the API."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import format_option, owner_option, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings

SCOPES = (
    *("calls", "messages", "recordings", "audio", "numbers", "accesses", "statistics", "settings"),
    *("settings:write", "messages:send", "recordings:destroy", "switches:write"),
)
COLUMNS = (
    "token_id",
    "owner",
    "name",
    "scopes",
    "created_at",
    "operator",
    "expires_at",
    "used_at",
    "revoked_at",
)


@click.group()
def command() -> None:
    """Create, list and revoke tokens of the API.

    A token reads the data of one owner, and changes them, as far as its scopes go. It is shown
    once, and stored only as a hash.
    """


@command.command()
@click.argument("owner")
@click.option("--name", required=True, help="The program that will use it, for lists and the access log.")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True,
              help="What it may read or do; may be repeated. `audio`: recordings themselves.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3660), help="It expires after so many days. Default: never.")
@state_option()
@settings_option()
def create(
    *,
    owner: str,
    name: str,
    scopes: tuple[str, ...],
    days: int | None,
    state: Path | None,
    settings: Path | None,
) -> None:
    """Create a token for OWNER (the name of its file), and print it."""
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise click.BadParameter("write up to 80 printable characters", param_hint="--name")
    with database_errors():
        click.echo(asyncio.run(created(values, owner, name.strip(), scopes, days)))


@command.command("list")
@owner_option()
@format_option("csv", "json")
@state_option()
@settings_option()
def list_(*, owner: str | None, form: str, state: Path | None, settings: Path | None) -> None:
    """List tokens, without the tokens themselves: when each was last used, and whether it counts."""
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    with database_errors():
        asyncio.run(show(values, owner, form))


@command.command()
@click.argument("token_ids", metavar="ID...", type=int, nargs=-1, required=True)
@state_option()
@settings_option()
def revoke(*, token_ids: tuple[int, ...], state: Path | None, settings: Path | None) -> None:
    """Revoke tokens: none of them counts from the next request on."""
    from cli.database import database_errors
    from cli.options import settings_in

    values = settings_in(settings, state)
    with database_errors():
        asyncio.run(revoked(values, token_ids))


async def created(
    settings: "Settings", owner: str, name: str, scopes: tuple[str, ...], days: int | None
) -> str:
    """Raises ClickException for an owner that is not in force, or without a master key."""
    from cli.database import connected
    from cli.owners import owners_in_force
    from storage import api_tokens
    from storage.api_tokens import NewToken, Scope, TokenHashes
    from storage.key_wrapper import MasterKeyError

    if owner not in owners_in_force(settings):
        raise click.ClickException(f"there is no owner {owner}; callengine owners list shows them")
    try:
        hashes = TokenHashes(settings.master_key.get_secret_value())
    except MasterKeyError as error:
        raise click.ClickException(f"master_key: {error}") from None
    life = timedelta(days=days) if days else None
    async with connected(settings.database.get_secret_value()) as con:
        wanted = NewToken(owner, name, frozenset(map(Scope, scopes)), life)
        return await api_tokens.create(con, hashes, wanted)


async def show(settings: "Settings", owner: str | None, form: str) -> None:
    from cli.commands.recordings import export
    from cli.database import connected
    from storage.api_tokens import ALL
    from storage.rows import rows_of

    async with connected(settings.database.get_secret_value()) as con:
        await export(rows_of(con, ALL, owner), COLUMNS, form, sys.stdout)


async def revoked(settings: "Settings", token_ids: tuple[int, ...]) -> None:
    """Print each; the exit status is 1 if one did not count any more."""
    from cli.database import connected
    from storage import api_tokens

    failed = False
    async with connected(settings.database.get_secret_value()) as con:
        for token_id in token_ids:
            if await api_tokens.revoke(con, token_id):
                click.echo(f"token {token_id} is revoked")
            else:
                failed = True
                click.echo(f"Error: there is no token {token_id} that counts", err=True)
    if failed:
        end_with(ExitStatus.FAILED)
