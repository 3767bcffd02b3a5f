"""callengine trunks: check the files of carriers, and list them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exit_status import ExitStatus, end_with
from cli.options import settings_option, state_option

if TYPE_CHECKING:
    from config.trunk import Trunk


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@state_option()
@settings_option()
def command(*, folder: Path | None, state: Path | None, settings: Path | None) -> None:
    """Check the files of carriers in FOLDER, and list the carriers in the order in which they are tried.

    Behind them: the telephone systems of SIP addresses, with their domains.

    Without FOLDER: those of `[asterisk] trunks` in the settings. Every error at once; the exit status is 1 if
    there is any. A running engine takes a new or changed file within seconds.
    """
    from cli.options import settings_in
    from config.errors import ConfigErrors
    from config.trunks import load_trunks

    try:
        trunks = load_trunks(folder or settings_in(settings, state).asterisk.trunks)
    except ConfigErrors as errors:
        click.echo(str(errors))
        end_with(ExitStatus.FAILED)
    for place, name in enumerate(trunks.carriers, start=1):
        trunk = trunks.by_name.get(name)
        click.echo(f"{place}  {name}  {described(trunk) if trunk else '(pjsip.conf)'}")
    for domain, name in trunks.domains.items():
        click.echo(f"-  {name}  {described(trunks.by_name[name])}, sip:...@{domain}")


def described(trunk: "Trunk") -> str:
    media = "SRTP" if trunk.srtp else "RTP"
    return f"{trunk.host}, {trunk.socket}, {media}, {' '.join(trunk.codecs)}"
