"""callengine restore: restore a backup into an empty database."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import database_option, settings_option, state_option

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.backup.restoration import Restored
    from storage.grants import Roles


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--without-audio", is_flag=True, help="Only the records: the keys of the audio are lost.")
@database_option()
@state_option()
@settings_option()
@click.option("--worker-role", metavar="ROLE", default="callengine_worker", show_default=True,
              help="The worker's role, if the owner of the schema is another one.")  # fmt: skip
@click.option("--reader-role", metavar="ROLE", default="callengine_reader", show_default=True,
              help="The role that may read call records and nothing else.")  # fmt: skip
def command(
    *,
    file: Path,
    without_audio: bool,
    database: str | None,
    state: Path | None,
    settings: Path | None,
    worker_role: str,
    reader_role: str,
) -> None:
    """Restore a file of `callengine backup` into an empty database, as its owner: all of it or nothing.

    What was destroyed since the backup is destroyed again before any key is loaded, and callers who were
    erased since are erased again: the object store has both.
    Calls since the backup come back by themselves, from the journals that the nodes still have (72 h).
    """
    from cli.database import database_errors, url_of
    from cli.options import settings_in
    from process.no_core import forbid_core_dumps
    from storage.grants import Roles

    forbid_core_dumps()
    values = settings_in(settings, state)
    url, roles = url_of(database, settings, state), Roles(worker_role, reader_role)
    with database_errors():
        done = asyncio.run(restored(values, url, file, roles, with_audio=not without_audio))
    click.echo(
        f"{done.records} call records and {done.keys} keys restored; {done.destroyed} messages and "
        f"recordings were destroyed since the backup; the chain's head is {done.head}"
    )
    for line in of_erasures(done):
        click.echo(line)
    click.echo(
        "start the workers, wait until they have drained the journals, then run callengine audit --read"
    )


def of_erasures(done: "Restored") -> list[str]:
    """What to know about callers who were erased after the backup."""
    repeat = "erase those again that were erased since the backup: callengine forget"
    if done.erased is None:
        return [f"without object store and master key nobody knows who was erased since the backup; {repeat}"]
    lines = [f"{done.erased} callers were erased since the backup: the workers erase them again"]
    if done.unreadable:
        lines.append(f"{done.unreadable} erasures are of a master key that is not configured; {repeat}")
    return lines


async def restored(
    settings: "Settings", url: str, file: Path, roles: "Roles", *, with_audio: bool
) -> "Restored":
    """Raises ClickException."""
    from cli.database import connected
    from cli.keys import keys_if_any, master_key_in
    from storage.backup.archive import Archive, ArchiveUnusable
    from storage.backup.own_key import BackupRevoked
    from storage.backup.restoration import NotEmpty, Sources, restore
    from storage.key_wrapper import MasterKeyError, SealBroken
    from storage.objects import ObjectsTrouble
    from storage.stores import objects_of

    if with_audio:
        master_key_in(settings)
    keys, objects = keys_if_any(settings), objects_of(settings)
    try:
        archive = Archive(file)
        async with connected(url) as con:
            sources = Sources(archive, objects, *keys, with_audio, settings.country)
            return await restore(con, sources, roles)
    except BackupRevoked as error:
        raise click.ClickException(f"{error}; --without-audio restores the records alone") from None
    except (NotEmpty, ObjectsTrouble, MasterKeyError, SealBroken) as error:
        raise click.ClickException(f"nothing was restored: {error}") from None
    except ArchiveUnusable as error:
        raise click.ClickException(f"nothing was restored from {file}: {error}") from None
    finally:
        await objects.close()
