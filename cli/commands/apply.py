"""callengine apply: check a routing folder, show what is different, and put it live in one step."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import end_at_once
from cli.options import settings_in, settings_option, state_option
from process.garbage import uncollected

if TYPE_CHECKING:
    from config.settings import Settings
    from config.storing import Storing


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
    end_at_once()
    with uncollected(), ExitStack() as stack:
        storing = None if dry_run else stack.enter_context(_storing())
        effective = settings_in(settings, state)
        if storing is None:
            _read_and_show(folder, effective)
            return
        from cli.activation import activate, check_settings

        check_settings(effective)
        storing.begin(effective.routing_versions)
        digest, hashes = _read_and_show(folder, effective)
        _store(storing, folder, digest, hashes)
        activate(effective, digest, reason=reason, source=str(folder.absolute()))


def _storing() -> "Storing":
    """It starts while this process imports what reads the folder."""
    from config.storing import Storing

    return Storing()


def _read_and_show(folder: Path, settings: "Settings") -> tuple[str, Mapping[str, str]]:
    """Read the folder, and print what is different to what is live; return its digest and its hashes."""
    from cli.activation import hashes_of, short
    from cli.difference import counted, difference, shown
    from cli.routing_folder import read_changed_or_exit
    from config.versions import Versions

    versions = Versions(settings.routing_versions)
    digest, hashes = read_changed_or_exit(folder, settings)
    live = versions.in_force_digest()
    before = hashes_of(versions, live) if live else {}
    changes = difference(versions.root / live, before, folder, hashes)
    for line in shown(changes):
        click.echo(line)
    click.echo(f"{short(live) or 'nothing'} -> {short(digest)}: {counted(changes)}")
    return digest, hashes


def _store(storing: "Storing", folder: Path, digest: str, hashes: Mapping[str, str]) -> None:
    """Raises ClickException."""
    from config.copies import FolderChangedError

    try:
        storing.finish(folder, digest, hashes)
    except FolderChangedError:
        raise click.ClickException(f"{folder} was changed meanwhile; apply it again") from None
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written ({error.strerror})") from None
