"""callengine replay: which calls of the last days would go elsewhere under other routing files."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import format_option, number_option, settings_option, state_option

if TYPE_CHECKING:
    from cli.replaying import Replay


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=7,
    show_default=True,
    help="Calls that began in the last days, so many.",
)
@number_option()
@format_option("text", "json")
@state_option()
@settings_option()
def command(
    *, folder: Path, days: int, number: str | None, form: str, state: Path | None, settings: Path | None
) -> None:
    """Walk the calls of the last days by the routing FOLDER, and list those that would go elsewhere.

    Each call is compared with its walk by the routing version that it began under, with the facts, outcomes
    and keys of its record. Of a call that would ring another destination nobody knows whether that would
    have answered: the first difference is shown. Nothing is changed.
    """
    from cli.database import database_errors
    from cli.dialled import recorded_number
    from cli.options import settings_in
    from cli.replaying import Replay
    from cli.routing_folder import read_or_exit
    from config.versions import Versions

    effective = settings_in(settings, state)
    number = number and recorded_number(number, settings, state)
    replay = Replay(Versions(effective.routing_versions), read_or_exit(folder, settings))
    with database_errors():
        asyncio.run(_replay(replay, effective.database.get_secret_value(), number, days))
    if form == "json":
        click.echo(json.dumps([it.data() for it in replay.elsewhere], indent=2))
    else:
        for it in replay.elsewhere:
            click.echo(it.text())
        click.echo(replay.counted())


async def _replay(replay: "Replay", url: str, number: str | None, days: int) -> None:
    from cli.database import connected
    from storage.calls import find

    async with connected(url) as con:
        await replay.replay(find(con, number, since=datetime.now(UTC) - timedelta(days=days)))
