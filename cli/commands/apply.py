"""callengine apply: check a routing folder, show what is different, and put it live in one step."""

from pathlib import Path

import click

from cli.exit_status import end_at_once
from cli.options import settings_option, state_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--reason", default="", help="Why: `callengine versions` shows it.")
@click.option("--dry-run", is_flag=True, help="Check, show what is different, and change nothing.")
@state_option()
@settings_option()
def command(*, folder: Path, reason: str, dry_run: bool, state: Path | None, settings: Path | None) -> None:
    """Put the routing FOLDER live, if it has no error, after showing what is different to what is live.

    Only what changed is read. The folder is copied to a version, to which the routing folder of the settings,
    a symbolic link, then leads. Live calls keep the version that they began with. `callengine versions` lists
    versions, `callengine rollback` puts an earlier one live again.
    """
    from cli.activation import activate, check_settings, hashes_of, short
    from cli.database import settings_in
    from cli.difference import counted, difference, shown
    from cli.routing_folder import read_changed_or_exit
    from config.copies import FolderChangedError
    from config.versions import Versions

    end_at_once()
    effective = settings_in(settings, state)
    versions = Versions(effective.routing_versions)
    if not dry_run:
        check_settings(effective)
    digest, hashes = read_changed_or_exit(folder, effective)
    live = versions.in_force_digest()
    before = hashes_of(versions, live) if live else {}
    changes = difference(versions.root / live, before, folder, hashes)
    for line in shown(changes):
        click.echo(line)
    click.echo(f"{short(live) or 'nothing'} -> {short(digest)}: {counted(changes)}")
    if dry_run:
        return
    try:
        versions.store(folder, digest, hashes)
    except FolderChangedError:
        raise click.ClickException(f"{folder} was changed meanwhile; apply it again") from None
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written ({error.strerror})") from None
    activate(effective, digest, reason=reason, source=str(folder.absolute()))
