"""callengine backup: write the records, and the keys of audio that must live, to a file."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.backup.snapshot import Backup


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write it; in a folder, it gets a name with its time.",
)
@click.option(
    "--keep",
    type=click.IntRange(1, 30),
    default=2,
    show_default=True,
    help="Number of newest backups whose audio can be restored; of older ones only the records.",
)
@state_option()
@settings_option()
def command(*, out: Path, keep: int, state: Path | None, settings: Path | None) -> None:
    """Write every record of the database to a file, with the keys of audio that must live.

    The file has callers' numbers in plain, but no key in plain: to open one needs the master key and the
    object store. It has no audio: copy the object store by its own means. `callengine restore` reads it.
    """
    from cli.database import database_errors
    from cli.options import settings_in
    from process.no_core import forbid_core_dumps

    forbid_core_dumps()
    values = settings_in(settings, state)
    if not (out.is_dir() or out.parent.is_dir()):
        raise click.ClickException(f"{out.parent} is not a folder: create it")
    with database_errors():
        made = asyncio.run(back_up(values, out, keep=keep, named=not out.is_dir()))
    click.echo(f"{made.file}: {made.keys} keys, the chain's head is {made.head or '0'}")
    for backup_id in made.revoked:
        click.echo(f"revoked backup {backup_id}: its records can be restored, its audio cannot")


async def back_up(settings: "Settings", out: Path, *, keep: int, named: bool) -> "Backup":
    """Raises ClickException."""
    from cli.database import connected
    from cli.keys import master_key_in
    from storage.backup import snapshot
    from storage.key_wrapper import MasterKeyError, SealBroken
    from storage.objects import ObjectsTrouble
    from storage.stores import objects_of

    objects, key_wrapper = objects_of(settings), master_key_in(settings)
    try:
        async with connected(settings.database.get_secret_value()) as con:
            plan = snapshot.Plan(settings.node, out, named=named, keep=keep)
            return await snapshot.make(con, objects, key_wrapper, plan)
    except (ObjectsTrouble, MasterKeyError, SealBroken) as error:
        raise click.ClickException(f"no backup was made: {error}") from None
    except OSError as error:
        if error.filename is None:
            raise
        raise click.ClickException(f"no backup was made: {error.filename}: {error.strerror}") from None
    finally:
        await objects.close()
