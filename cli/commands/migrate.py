"""callengine migrate: bring the database's schema up to date."""

import asyncio
from pathlib import Path

import click


@click.command()
@click.option("--database", metavar="URL", help="The database. Default: that of the settings.")
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
@click.option("--worker-role", metavar="ROLE", default="callengine_worker", show_default=True,
              help="The worker's role, if it is not the owner's.")  # fmt: skip
@click.option("--reader-role", metavar="ROLE", default="callengine_reader", show_default=True,
              help="The role that may read call records and nothing else.")  # fmt: skip
def command(*, database: str | None, file: Path | None, worker_role: str, reader_role: str) -> None:
    """Bring the database's schema up to date as its owner, and give the other roles what they need.

    Forward only, all or nothing, and safe to repeat. Where worker and owner are one role, the worker does the
    same when it connects.
    """
    from cli.database import told_plainly, url_of

    with told_plainly():
        asyncio.run(apply(url_of(database, file), worker_role, reader_role))


async def apply(url: str, worker: str, reader: str) -> None:
    from cli.database import connected
    from storage.grants import Roles, existing
    from storage.migrate import migrate

    roles = Roles(worker, reader)
    async with connected(url) as con:
        applied = await migrate(con, roles)
        granted = await existing(con, roles)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is up to date")
    for role in granted:
        click.echo(f"rights given to {role}")
