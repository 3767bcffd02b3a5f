"""callengine trunks: check the files of further carriers, and list them."""

from pathlib import Path

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import settings_option, state_option


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@state_option()
@settings_option()
def command(*, folder: Path | None, state: Path | None, settings: Path | None) -> None:
    """Check the files of further carriers in FOLDER, and list them in the order in which they are tried.

    Without FOLDER: those of `[asterisk] trunks` in the settings. Every error at once; the exit status is 1 if
    there is any. A new or changed file goes live when the engine restarts.
    """
    from cli.database import settings_in
    from config.errors import ConfigErrors
    from config.trunks import load_trunks

    try:
        trunks = load_trunks(folder or settings_in(settings, state).asterisk.trunks)
    except ConfigErrors as errors:
        click.echo(str(errors))
        end_with(ExitStatus.FAILED)
    click.echo("1  trunk  (pjsip.conf)")
    for place, (name, trunk) in enumerate(trunks.by_name.items(), start=2):
        media = "SRTP" if trunk.srtp else "RTP"
        click.echo(f"{place}  {name}  {trunk.host}, {trunk.transport}, {media}, {' '.join(trunk.codecs)}")
