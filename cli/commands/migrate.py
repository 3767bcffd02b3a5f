"""callengine migrate: bring the database's schema up to date."""

import asyncio
from pathlib import Path

import click


@click.command()
@click.option("--database", metavar="URL", help="The database. Default: that of the settings.")
@click.option("--settings", "file", type=click.Path(path_type=Path), help="The settings file.")
def command(database: str | None, file: Path | None) -> None:
    """Bring the database's schema up to date, and say what was done.

    Forward only, all or nothing, and safe to repeat. The worker does the same whenever it connects.
    """
    from cli.database import told_plainly, url_of

    with told_plainly():
        applied = asyncio.run(apply(url_of(database, file)))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is up to date")


async def apply(url: str) -> list[str]:
    from cli.database import connected
    from storage.migrate import migrate

    async with connected(url) as con:
        return await migrate(con)
