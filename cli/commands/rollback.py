"""callengine rollback: put an earlier routing version live again."""

from pathlib import Path

import click

from cli.options import settings_option, state_option


@click.command()
@click.argument("version")
@click.option("--reason", default="", help="Why: `callengine versions` shows it.")
@state_option()
@settings_option()
def command(*, version: str, reason: str, state: Path | None, settings: Path | None) -> None:
    """Put the stored routing VERSION live again, named by the beginning of its digest: `callengine versions`.

    What is different is shown. Live calls keep the version that they began with.
    """
    from cli.activation import activate, check_settings, hashes_of, named, short
    from cli.difference import counted, difference, shown
    from cli.options import settings_in
    from config.copies import content_digest
    from config.versions import Versions

    effective = settings_in(settings, state)
    check_settings(effective)
    versions = Versions(effective.routing_versions)
    digest, live = named(versions, version), versions.in_force_digest()
    if content_digest(versions.root / digest) != digest:
        raise click.ClickException(f"version {short(digest)} is damaged; apply its routing folder again")
    before = hashes_of(versions, live) if live else {}
    changes = difference(versions.root / live, before, versions.root / digest, hashes_of(versions, digest))
    for line in shown(changes):
        click.echo(line)
    click.echo(f"{short(live) or 'nothing'} -> {short(digest)}: {counted(changes)}")
    activate(effective, digest, reason=reason)
