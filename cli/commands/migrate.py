"""callengine migrate: bring the database's schema up to date."""

import asyncio
from pathlib import Path

import click

from cli.options import database_option, settings_option


@click.command()
@database_option()
@settings_option()
@click.option("--worker-role", metavar="ROLE", default="callengine_worker", show_default=True,
              help="The worker's role, if the owner of the schema is another one.")  # fmt: skip
@click.option("--reader-role", metavar="ROLE", default="callengine_reader", show_default=True,
              help="The role that may read call records and nothing else.")  # fmt: skip
@click.option("--portal-role", metavar="ROLE", default="callengine_portal", show_default=True,
              help="The role of the owners' portal, which sees one owner's rows at a time.")  # fmt: skip
def command(
    *,
    database: str | None,
    settings: Path | None,
    worker_role: str,
    reader_role: str,
    portal_role: str,
) -> None:
    """Bring the database's schema up to date as its owner, and grant the other roles their rights.

    Forward only, all or nothing, and safe to repeat. If worker and owner are one role, the worker does the
    same when it connects.
    """
    from cli.database import database_errors, url_of

    with database_errors():
        asyncio.run(apply(url_of(database, settings), worker_role, reader_role, portal_role))


async def apply(url: str, worker: str, reader: str, portal: str) -> None:
    from cli.database import connected
    from storage.grants import Roles, existing
    from storage.migrate import migrate

    roles = Roles(worker, reader, portal)
    async with connected(url) as con:
        applied = await migrate(con, roles)
        granted = await existing(con, roles)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is up to date")
    for role in granted:
        click.echo(f"rights given to {role}")
